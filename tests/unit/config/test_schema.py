"""The schema is complete: every directive is described, every default is one it would accept."""

from corosync_tw.config.schema import all_directives

# Directives of corosync.conf(5), votequorum(5) and corosync-qdevice(8) of 3.1.10, and of 1.4.10.
STOCK = """
totem: version nodeid clear_node_high_bit crypto_model crypto_cipher crypto_hash keyfile key secauth
 link_mode netmtu transport cluster_name config_version ip_version ip_dscp token token_warning
 token_coefficient token_retransmit knet_compression_model knet_compression_threshold
 knet_compression_level hold token_retransmits_before_loss_const join send_join consensus merge
 downcheck fail_recv_const seqno_unchanged_const heartbeat_failures_allowed max_network_delay
 window_size max_messages miss_count_const knet_pmtud_interval knet_mtu block_unlisted_ips
 cancel_token_hold_on_retransmit threads vsftype rrp_mode rrp_problem_count_timeout
 rrp_problem_count_threshold rrp_problem_count_mcast_threshold rrp_token_expired_timeout
 rrp_autorecovery_check_timeout crypto_type crypto_accept
totem.interface: linknumber ringnumber bindnetaddr broadcast mcastaddr mcastport ttl
 knet_link_priority knet_ping_interval knet_ping_timeout knet_ping_precision knet_pong_count
 knet_transport
nodelist.node: nodeid name quorum_votes
quorum: provider expected_votes votes two_node wait_for_all last_man_standing
 last_man_standing_window auto_tie_breaker auto_tie_breaker_node allow_downscale
 expected_votes_tracking leaving_timeout disallowed quorumdev_poll
quorum.device: model votes timeout sync_timeout master_wins
quorum.device.net: host port tls algorithm tie_breaker connect_timeout force_ip_version
 keep_active_partition_tie_breaker
quorum.device.heuristics: mode timeout sync_timeout interval
logging: timestamp fileline function_name blackbox to_stderr to_syslog to_logfile to_file logfile
 logfile_priority syslog_facility syslog_priority syslog_level debug
logging.logger_subsys: subsys to_stderr to_syslog to_logfile to_file logfile logfile_priority
 syslog_facility syslog_priority syslog_level debug tags
logging.logging_daemon: name subsys
system: qb_ipc_type sched_rr priority move_to_root_cgroup allow_knet_handle_fallback state_dir
resources: watchdog_device watchdog_timeout
resources.system.X: poll_period max recovery
nozzle: name ipaddr ipprefix macaddr
pload: count size
cfg: shutdown_timeout
"""


def stock_names():
    for paragraph in STOCK.strip().replace("\n ", " ").splitlines():
        path, keys = paragraph.split(":")
        yield from (f"{path}.{key}" for key in keys.split())


def test_every_directive_of_stock_is_in_the_schema():
    known = {name for name, _ in all_directives()}
    assert set(stock_names()) - known == set()


def test_names_are_unique_and_described():
    names = [name for name, _ in all_directives()]
    assert len(names) == len(set(names))
    for name, declared in all_directives():
        assert declared.doc.endswith("."), name
        assert declared.kind.name, name


def test_defaults_are_values_of_their_kind():
    for name, declared in all_directives():
        if isinstance(declared.default, str | int) and not isinstance(declared.default, bool):
            assert declared.kind.read(str(declared.default)) == declared.default, name
