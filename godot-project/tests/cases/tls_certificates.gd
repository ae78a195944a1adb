extends "res://tests/harness/tls_case.gd"
## Whose certificate a client takes, by `TLSOptions` and certificate.


func test_certificate_of_godot_is_its_own_anchor() -> void:
	var pair := made()
	same("localhost", attempt(TLSOptions.client(pair[1]), server_of(pair)), "in")
	same("address", attempt(TLSOptions.client(pair[1]), server_of(pair), "127.0.0.1"), "refused")
	same("address_with_override", attempt(TLSOptions.client(pair[1], "localhost"), server_of(pair),
		"127.0.0.1"), "in")
	same("upper_case_override", attempt(TLSOptions.client(pair[1], "LocalHost"), server_of(pair),
		"127.0.0.1"), "in")


func test_trust_of_another_certificate() -> void:
	var pair := made()
	same("same_name", attempt(TLSOptions.client(made("second")[1]), server_of(pair)), "refused")
	same("default_roots", attempt(TLSOptions.client(), server_of(pair)), "refused")
	same("no_options", attempt(null, server_of(pair)), "refused")
	same("wrong_override", attempt(TLSOptions.client(pair[1], "elsewhere.example"), server_of(pair)),
		"refused")


func test_name_of_choice() -> void:
	var pair := made("named", "CN=game.example,O=Test,C=DE")
	same("override", attempt(TLSOptions.client(pair[1], "game.example"), server_of(pair)), "in")
	same("host", attempt(TLSOptions.client(pair[1]), server_of(pair)), "refused")
	var spoken := made("spoken", "CN=My Game Server,O=Test,C=DE")
	# The built-in announces that name to the server, and rustls refuses an announcement that is no
	# host name: not tried.
	var is_tried := impl != "builtin" or other != "rust"
	same("no_host_name", attempt(TLSOptions.client(spoken[1], "My Game Server"), server_of(spoken))
		if is_tried else "in", "in")


## Certificates carry either form of such a name: `Crypto` writes what it is given, authorities
## write ASCII.
func test_name_of_choice_beyond_ascii() -> void:
	var forms := {
		"letters": "CN=bücher.example,O=Test,C=DE",
		"ascii": "CN=xn--bcher-kva.example,O=Test,C=DE",
	}
	for form: String in forms:
		var identity := made("name in " + form, forms[form])
		for name: String in ["bücher.example", "xn--bcher-kva.example", "wörter.example"]:
			var options := TLSOptions.client(identity[1], name)
			var wanted := "refused" if name == "wörter.example" else "in"
			var got := "in" if form == "letters" and name == "bücher.example" else "refused"
			# The built-in announces the letters as they are, which rustls refuses: not tried.
			if impl != "builtin" or other != "rust" or name.begins_with("xn--"):
				got = attempt(options, server_of(identity))
			ours("%s_as_%s" % [form, name], impl_is_ours(), got, wanted)


func test_no_verification() -> void:
	same("self_signed", attempt(TLSOptions.client_unsafe(), server_of(made()), "127.0.0.1"), "in")
	same("expired", attempt(TLSOptions.client_unsafe(), fixture_server("expired", "expired")), "in")
	same("version_1", attempt(TLSOptions.client_unsafe(), fixture_server("version1", "version1")),
		"in")
	same("ec", attempt(TLSOptions.client_unsafe(), fixture_server("ec_leaf", "ec_leaf")), "in")


func test_verification_without_the_name() -> void:
	var pair := made()
	same("right", attempt(TLSOptions.client_unsafe(pair[1]), server_of(pair), "127.0.0.1"), "in")
	same("another", attempt(TLSOptions.client_unsafe(made("second")[1]), server_of(pair)), "refused")
	same("expired",
		attempt(TLSOptions.client_unsafe(as_resource("expired")), fixture_server("expired", "expired")),
		"refused")


func test_dates() -> void:
	var old := made("old", LOCALHOST, 2048, "20140101000000", "20150101000000")
	same("expired_godot", attempt(TLSOptions.client(old[1]), server_of(old)), "refused")
	var early := made("early", LOCALHOST, 2048, "20900101000000", "21000101000000")
	same("future_godot", attempt(TLSOptions.client(early[1]), server_of(early)), "refused")
	same("expired",
		attempt(TLSOptions.client(as_resource("expired")), fixture_server("expired", "expired")),
		"refused")
	same("future",
		attempt(TLSOptions.client(as_resource("future")), fixture_server("future", "future")), "refused")


func test_keys() -> void:
	var big := made("big", LOCALHOST, 4096)
	# The engine needs seconds to make such a key, many on a busy machine; what is tested begins here.
	start()
	same("rsa_4096", attempt(TLSOptions.client(big[1]), server_of(big)), "in")
	var root := TLSOptions.client(as_resource("root"))
	for key: String in ["leaf", "leaf_pkcs8", "leaf_crlf"]:
		same(key, attempt(root, fixture_server(key, "chain")), "in")
	for key: String in ["ec_leaf", "ec_leaf_pkcs8"]:
		same(key, attempt(root, fixture_server(key, "ec_chain")), "in")
	same("p384", attempt(root, fixture_server("p384", "p384")), "in")
	same("p521", attempt(TLSOptions.client(as_resource("p521")), fixture_server("p521", "p521")), "in")
	same("p521_anybody", attempt(TLSOptions.client_unsafe(), fixture_server("p521", "p521")), "in")
	same("chain_crlf", attempt(root, fixture_server("leaf", "chain_crlf")), "in")


func test_chains() -> void:
	var root := TLSOptions.client(as_resource("root"))
	same("whole", attempt(root, fixture_server("leaf", "chain")), "in")
	same("loaded_by_the_class", attempt(root, TLSOptions.server(key_of("leaf"), certificate("chain"))),
		"in")
	same("ec_loaded_by_the_class",
		attempt(root, TLSOptions.server(key_of("ec_leaf"), certificate("ec_chain"))), "in")
	same("no_intermediate", attempt(root, fixture_server("leaf", "leaf")), "refused")
	same("intermediate_trusted",
		attempt(TLSOptions.client(as_resource("intermediate")), fixture_server("leaf", "leaf")), "in")
	same("leaf_trusted",
		attempt(TLSOptions.client(as_resource("leaf")), fixture_server("leaf", "leaf")), "refused")
	same("bundle_trusted",
		attempt(TLSOptions.client(as_resource("bundle")), fixture_server("leaf", "leaf")), "in")
	same("impostor", attempt(root, fixture_server("forged", "forged")), "refused")
	same("version_1", attempt(root, fixture_server("version1", "version1")), "in")
	same("leaf_marked_as_ca", attempt(root, fixture_server("ca_leaf", "ca_leaf")), "in")


func test_names() -> void:
	var root := TLSOptions.client(as_resource("root"))
	var name := func(override: String) -> TLSOptions:
		return TLSOptions.client(as_resource("root"), override)
	var names := fixture_server("names", "names")
	same("wildcard", attempt(name.call("game.example.org"), names), "in")
	same("wildcard_two_levels", attempt(name.call("a.game.example.org"), names), "refused")
	same("wildcard_itself", attempt(name.call("example.org"), names), "refused")
	same("address", attempt(root, names, "127.0.0.1"), "in")
	same("common_name_beside_others", attempt(root, names), "refused")
	same("other_name", attempt(root, fixture_server("other_san", "other_san")), "refused")
	same("common_name", attempt(root, fixture_server("cn_only", "cn_only")), "in")
	same("address_as_common_name",
		attempt(root, fixture_server("cn_address", "cn_address"), "127.0.0.1"), "in")


func test_purposes() -> void:
	var root := TLSOptions.client(as_resource("root"))
	same("client_only", attempt(root, fixture_server("client_only", "client_only")), "refused")
	same("no_signature", attempt(root, fixture_server("no_signature", "no_signature")), "refused")


func test_one_side_only() -> void:
	same("client", attempt(TLSOptions.client_unsafe(), null, "127.0.0.1"), "refused")
	same("server", attempt(null, server_of(made()), "127.0.0.1", "ws"), "refused")
