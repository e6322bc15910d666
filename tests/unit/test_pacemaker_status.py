"""What crm_mon tells is read as it is meant: only what is started counts as being in a place."""

from tests.interop.pacemaker import Status

TEXT = """<?xml version="1.0"?>
<pacemaker-result api-version="2.25" request="crm_mon -1r --output-as=xml">
  <summary>
    <current_dc present="true" version="2.1.5" name="n2" id="2" with_quorum="{quorum}"/>
  </summary>
  <nodes>
    <node name="n1" id="1" online="true" pending="false" unclean="false"/>
    <node name="n2" id="2" online="true" pending="false" unclean="false"/>
    <node name="n3" id="3" online="true" pending="true" unclean="false"/>
    <node name="n4" id="4" online="false" pending="false" unclean="true"/>
  </nodes>
  <resources>
    <resource id="one" role="Started"><node name="n1" id="1" cached="true"/></resource>
    <resource id="two" role="Started" pending="Monitoring"><node name="n2" id="2"/></resource>
    <resource id="three" role="Stopped"/>
    <resource id="four" role="Started"><node name="n1"/><node name="n2"/></resource>
  </resources>
  <failures>
    <failure op_key="one_monitor_5000" node="n2"/>
  </failures>
</pacemaker-result>
"""


def test_a_status_is_read():
    assert Status.parse(TEXT.format(quorum="true")) == Status(
        dc="n2",
        with_quorum=True,
        online=frozenset({"n1", "n2"}),
        places={"one": ("n1",), "two": (), "three": (), "four": ("n1", "n2")},
        failures=("one_monitor_5000 on n2",),
    )


def test_a_partition_without_quorum_shows():
    assert not Status.parse(TEXT.format(quorum="false")).with_quorum


def test_before_there_is_a_dc_none_is_named():
    text = TEXT.replace('present="true"', 'present="false"').format(quorum="true")
    status = Status.parse(text)
    assert (status.dc, status.with_quorum) == ("", False)
