"""The command line of the twistd command, without a reactor."""

import pytest
from twisted.python import usage

from corosync_tw.config.load import load_text
from corosync_tw.daemon.checking import check_log_files
from corosync_tw.daemon.exitcodes import DaemonError, ExitCode
from corosync_tw.daemon.tap import Options
from tests.unit.config.hosts import conf, host

CONFIG = """
totem {
    version: 2
    transport: udpu
}
nodelist {
    node {
        nodeid: 1
        name: here
        ring0_addr: 127.0.0.1
    }
    node {
        nodeid: 2
        name: there
        ring0_addr: 127.0.0.2
    }
}
logging {
    to_stderr: yes
}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "corosync.conf"
    path.write_text(CONFIG)
    return path


class Twistd(usage.Options):
    """Stands for twistd's own options."""

    def __init__(self, **values):
        super().__init__()
        self.update({"pidfile": "twistd.pid", "nodaemon": 0, "logfile": None, "logger": None})
        self.update(values)


def parse(*arguments, parent=None):
    options = Options()
    options.parent = parent
    options.environ = {}
    options.parseOptions([str(argument) for argument in arguments])
    return options


@pytest.mark.parametrize("node", ["1", "here"])
def test_a_good_file_is_read(config, node):
    options = parse("-c", config, "--node", node)
    assert options.config.nodeid == 1


def test_environment_names_the_file(config):
    options = Options()
    options.environ = {"COROSYNC_MAIN_CONFIG_FILE": str(config)}
    options.parseOptions(["--node", "there"])
    assert options.config.nodeid == 2


def test_faults_end_with_code_8(config, capsys):
    config.write_text(CONFIG.replace("version: 2", "version: 7"))
    with pytest.raises(SystemExit) as caught:
        parse("-c", config)
    assert caught.value.code == ExitCode.MAINCONFIGREAD
    assert "totem.version" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--test", "-t"])
def test_check_only_ends_with_code_0(config, flag, capsys):
    with pytest.raises(SystemExit) as caught:
        parse("-c", config, "--node", "1", flag)
    assert caught.value.code == 0
    assert capsys.readouterr().err == ""


def test_what_this_version_lacks_is_a_warning_of_the_check_and_a_fault_of_the_start(config, capsys):
    config.write_text(CONFIG.replace("udpu", "iba"))
    with pytest.raises(SystemExit) as caught:
        parse("-c", config, "--node", "1", "-t")
    assert caught.value.code == 0
    assert "iba is not in this version" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        parse("-c", config, "--node", "1")
    assert caught.value.code == ExitCode.MAINCONFIGREAD
    assert "iba is not in this version" in capsys.readouterr().err


def test_unknown_options_are_twistds_business(config):
    with pytest.raises(usage.UsageError):
        parse("-c", config, "--frobnicate")


def test_twistds_defaults_give_way(config):
    parent = Twistd()
    options = parse("-c", config, "--node", "1", parent=parent)
    assert parent["pidfile"] == ""
    assert parent["logger"] == "corosync_tw.daemon.startup.log_observer"
    assert options.logs_with_us
    assert not options.foreground


def test_twistds_options_stay_when_they_were_given(config):
    parent = Twistd(pidfile="my.pid", logfile="my.log", nodaemon=1)
    options = parse("-c", config, "--node", "1", parent=parent)
    assert parent["pidfile"] == "my.pid"
    assert parent["logger"] is None
    assert not options.logs_with_us
    assert options.foreground


def logging_to(path, subsys=""):
    section = f"to_logfile: yes\nlogfile: {path}\n"
    if subsys:
        section = f"logger_subsys {{\nsubsys: {subsys}\n{section}}}\n"
    return load_text(conf(rest=f"logging {{\n{section}}}\n"), "corosync.conf", host())


def test_log_files_are_checked_and_not_made(tmp_path):
    check_log_files(logging_to(tmp_path / "new.log"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("none/x.log", "No such file or directory (2), make its directory, or name another file"),
        (".", "Is a directory (21), name a file, this is a directory"),
    ],
)
def test_impossible_log_files_are_found(tmp_path, path, fault):
    config = logging_to(tmp_path / path, "CPG")
    with pytest.raises(DaemonError) as caught:
        check_log_files(config)
    assert caught.value.code == ExitCode.LOGCONFIGREAD
    line_no = config.logging.subsystems[0].lines["logfile"]
    (said,) = caught.value.messages
    assert said == (
        f"parse error in config: corosync.conf:{line_no}: logging.logger_subsys.logfile: "
        f"Can't open logfile '{tmp_path / path}' for reason: {fault}"
    )
