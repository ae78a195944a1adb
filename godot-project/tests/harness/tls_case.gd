extends "res://tests/harness/case.gd"
## What the TLS cases share: certificates, and a try of one client's options on one server's.

const FIXTURES := "res://tests/fixtures/tls/"
const LOCALHOST := "CN=localhost,O=Test,C=DE"

## Made once for a run: an RSA key takes the engine a while.
static var _made: Dictionary[String, Array] = {}


func runs_mixed() -> bool:
	return true


## Key and certificate as Godot's own tools make them.
static func made(label := "first", subject := LOCALHOST, bits := 2048, from := "20140101000000",
		to := "20440101000000") -> Array:
	if not _made.has(label):
		var crypto := Crypto.new()
		var key := crypto.generate_rsa(bits)
		_made[label] = [key, crypto.generate_self_signed_certificate(key, subject, from, to)]
	return _made[label]


static func key_of(name: String) -> CryptoKey:
	var key := CryptoKey.new()
	key.load(FIXTURES + name + ".key")
	return key


## `load` of the class, which remembers no path; `as_resource` is what `load("res://...")` gives.
static func certificate(name: String) -> X509Certificate:
	var loaded := X509Certificate.new()
	loaded.load(FIXTURES + name + ".crt")
	return loaded


static func as_resource(name: String) -> X509Certificate:
	return load(FIXTURES + name + ".crt")


static func server_of(pair: Array) -> TLSOptions:
	return TLSOptions.server(pair[0], pair[1])


static func fixture_server(key: String, chain: String) -> TLSOptions:
	return TLSOptions.server(key_of(key), as_resource(chain))


## "in" if a client with these options gets into such a server and data passes both ways, else
## "refused".
func attempt(client_options: TLSOptions, server_options: TLSOptions, host := "localhost",
		scheme := "wss") -> String:
	var server := tls_server(server_options)
	if server == null:
		return "no server"
	var client := new_mp(impl)
	equal(client.create_client("%s://%s:%d" % [scheme, host, server.get_meta("port")], client_options),
		OK, "create_client")
	watch(client)
	until(func() -> bool: return not connecting(client), 6.0)
	var result := mp_status(client)
	if result == "DISCONNECTED":
		result = "refused"
	elif result == "CONNECTED":
		result = "in" if passes_data(client, server) else "in, but no data"
	client.close()
	server.close()
	unwatch(client)
	unwatch(server)
	return result


func connecting(client: MultiplayerPeer) -> bool:
	return client.get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTING


func tls_server(options: TLSOptions) -> MultiplayerPeer:
	return mp_server(Callable(), other) if options == null else _tls_server(options)


func _tls_server(options: TLSOptions) -> MultiplayerPeer:
	var server := new_mp(other)
	for attempt_number in 10:
		var port := free_port()
		var answer: int = server.create_server(port, ANY_ADDRESS, options)
		if answer == OK:
			server.set_meta("port", port)
			return watch(server)
		if answer != ERR_ALREADY_IN_USE:
			break
	return null


func passes_data(client: MultiplayerPeer, server: MultiplayerPeer) -> bool:
	# Longer than a TLS record.
	var data := numbered(7, 40000)
	var id := client.get_unique_id()
	until(func() -> bool: return server.get_peer(id) != null)
	client.set_target_peer(1)
	client.put_packet(data)
	if not until(func() -> bool: return server.get_available_packet_count() > 0):
		return false
	var arrived := server.get_packet() == data
	server.set_target_peer(id)
	server.put_packet(data)
	var has_answer := func() -> bool: return client.get_available_packet_count() > 0
	return arrived and until(has_answer) and client.get_packet() == data


## Sends until nothing more is taken, while the other side does not read; then it does, and gets all
## of it. Each message is offered by itself, and they differ in size.
func fill_and_read(from: PacketPeer, to: PacketPeer) -> String:
	from.outbound_buffer_size = 1 << 20
	from.max_queued_packets = 100000
	if is_ours(from):
		expect_error("outbound buffer is full")
	var sent := 0
	while sent < 100000 and from.send(numbered(sent, 300 + sent * 7 % 900)) == OK:
		sent += 1
		if sent % 50 == 0:
			from.poll()
	watch(to)
	var got := receive(to, sent, 12.0)
	if got.size() != sent or sent == 100000:
		return "%d of %d, %s" % [got.size(), sent, state_name(to)]
	return "all in order" if in_order(got) else "out of order"
