extends "res://tests/harness/tls_case.gd"
## Whom a client trusts when a script names nobody: the project setting, and without it the system's
## authorities. The same cases run in projects with different settings (`ci/test-roots.sh`); no
## system trusts the authorities of the fixtures.

const SETTING := "network/tls/certificate_bundle_override"


## What becomes of a client that asks for an authority of the bundle.
func wanted() -> String:
	var path: String = ProjectSettings.get_setting_with_override(SETTING)
	return "in" if not path.is_empty() and FileAccess.file_exists(path) else "refused"


func is_broken() -> bool:
	return wanted() == "refused" and not ProjectSettings.get_setting_with_override(SETTING).is_empty()


func test_default_roots() -> void:
	if is_broken():
		check(true, "")
		return
	var names := fixture_server("names", "names")
	same("client", attempt(TLSOptions.client(), fixture_server("leaf", "chain")), wanted())
	same("no_options", attempt(null, fixture_server("leaf", "chain")), wanted())
	same("ec", attempt(TLSOptions.client(), fixture_server("ec_leaf", "ec_chain")), wanted())
	same("name_of_choice", attempt(TLSOptions.client(null, "game.example.org"), names), wanted())
	same("address", attempt(null, names, "127.0.0.1"), wanted())
	same("wrong_name", attempt(TLSOptions.client(), fixture_server("other_san", "other_san")),
		"refused")
	same("wrong_name_of_choice", attempt(TLSOptions.client(null, "elsewhere.example"), names),
		"refused")
	same("made_by_godot", attempt(TLSOptions.client(), server_of(made())), "refused")
	same("forged", attempt(TLSOptions.client(), fixture_server("forged", "forged")), "refused")
	# Not touched by the setting.
	same("chosen", attempt(TLSOptions.client(made()[1]), server_of(made())), "in")
	same("chosen_other", attempt(TLSOptions.client(made()[1]), fixture_server("leaf", "chain")),
		"refused")
	same("anybody", attempt(TLSOptions.client_unsafe(), server_of(made())), "in")


func test_default_roots_of_a_peer() -> void:
	if is_broken():
		check(true, "")
		return
	var server := tls_server(fixture_server("leaf", "chain"))
	var client: PacketPeer = watch(new_ws())
	same("answer", client.connect_to_url("wss://localhost:%d" % server.get_meta("port")), OK)
	until(func() -> bool: return state(client) != CONNECTING, 6.0)
	same("state", state_name(client), "OPEN" if wanted() == "in" else "CLOSED")


## The setting names a file that is not there: ours says so at once, the built-in refuses whoever
## answers.
func test_missing_bundle() -> void:
	if not is_broken():
		check(true, "")
		return
	var server := tls_server(fixture_server("leaf", "chain"))
	var client: PacketPeer = watch(new_ws())
	if impl_is_ours():
		expect_error("connect_to_url: the file 'res://no_such_file.crt' of the project setting "
			+ "%s holds no certificate" % SETTING)
	ours("answer", impl_is_ours(),
		client.connect_to_url("wss://localhost:%d" % server.get_meta("port")), ERR_INVALID_PARAMETER)
	same("closed", until_closed(client, 6.0), true)
	same("chosen", attempt(TLSOptions.client(made()[1]), server_of(made())), "in")
	same("anybody", attempt(TLSOptions.client_unsafe(), server_of(made())), "in")
