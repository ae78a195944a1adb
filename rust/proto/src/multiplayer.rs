//! The peer-id protocol of the engine's `WebSocketMultiplayerPeer` and its target rules, as pure logic.
