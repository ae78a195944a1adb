//! A project's files, with the names replaced.

use std::convert::Infallible;

use rust_websocket_rename::{Project, Replacement};

fn project(files: &[(&str, &str)], with_addons: bool) -> Project {
    let mut project = Project::new(with_addons);
    for (path, content) in files {
        project.list((*path).to_owned(), content.len() as u64, 1);
    }
    project
}

fn replace(files: &[(&str, &str)], with_addons: bool) -> Replacement {
    let read = |path: &str| {
        let (_, content) = files.iter().find(|(name, _)| *name == path).expect("a listed file");
        Ok::<_, Infallible>(content.as_bytes().to_vec())
    };
    project(files, with_addons).replace(read).expect("nothing fails")
}

fn contents(replacement: &Replacement) -> Vec<(&str, &str)> {
    let files = replacement.files.iter();
    files.map(|file| (file.path.as_str(), str::from_utf8(&file.content).expect("text"))).collect()
}

#[test]
fn scripts_scenes_and_the_class_list_change_and_nothing_else() {
    let replacement = replace(
        &[
            ("project.godot", "[application]\nconfig/name=\"WebSocketPeer\"\n"),
            ("net/peer.gd", "extends WebSocketPeer # not a WebSocketPeer\n"),
            ("plain.gd", "extends Node\n"),
            ("ours.gd", "var peer := RustWebSocketPeer.new()\n"),
            ("scene.tscn", "[node name=\"WebSocketPeer\" type=\"Node\"]\n"),
            (
                "embedded.tres",
                "[sub_resource type=\"GDScript\" id=\"1\"]\nscript/source = \"var a: WebSocketPeer\n\"\n",
            ),
            (
                ".godot/global_script_class_cache.cfg",
                "list=[{\n\"base\": &\"WebSocketPeer\",\n\"class\": &\"Peer\"\n}]\n",
            ),
        ],
        false,
    );
    assert_eq!(
        contents(&replacement),
        [
            (
                ".godot/global_script_class_cache.cfg",
                "list=[{\n\"base\": &\"RustWebSocketPeer\",\n\"class\": &\"Peer\"\n}]\n"
            ),
            (
                "embedded.tres",
                "[sub_resource type=\"GDScript\" id=\"1\"]\nscript/source = \"var a: RustWebSocketPeer\n\"\n"
            ),
            ("net/peer.gd", "extends RustWebSocketPeer # not a WebSocketPeer\n"),
        ]
    );
    assert_eq!(replacement.unreached, Vec::<String>::new());
}

#[test]
fn what_is_not_reached_is_named_once() {
    let files = [
        ("Net.cs", "var peer = new WebSocketPeer();\n"),
        ("Other.cs", "var peer = new MyWebSocketPeers();\n"),
        ("scene.scn", "RSRC\0WebSocketMultiplayerPeer\0"),
        ("addons/lobby/a.gd", "var a := WebSocketPeer.new()\n"),
        ("addons/lobby/b.gd", "var b := WebSocketPeer.new()\n"),
        ("addons/other/c.gd", "extends Node\n"),
    ];
    let replacement = replace(&files, false);
    assert!(replacement.files.is_empty());
    assert_eq!(
        replacement.unreached,
        ["Net.cs is C#", "addons/lobby is an addon", "scene.scn is a binary resource"]
    );
    let replacement = replace(&files, true);
    assert_eq!(
        contents(&replacement),
        [
            ("addons/lobby/a.gd", "var a := RustWebSocketPeer.new()\n"),
            ("addons/lobby/b.gd", "var b := RustWebSocketPeer.new()\n"),
        ]
    );
    assert_eq!(replacement.unreached.len(), 2);
}

#[test]
fn whatever_changes_shows_in_the_fingerprint() {
    let listed = |files: &[(&str, u64, u128)], with_addons| {
        let mut project = Project::new(with_addons);
        for (path, size, modified) in files {
            project.list((*path).to_owned(), *size, *modified);
        }
        project.fingerprint("1")
    };
    let before = listed(&[("a.gd", 1, 5), ("addons/b/b.gd", 1, 5)], false);
    assert_eq!(listed(&[("addons/b/b.gd", 1, 5), ("a.gd", 1, 5)], false), before, "whatever the order");
    assert_eq!(listed(&[("a.gd", 1, 5), ("p.png", 1, 5), ("addons/b/b.gd", 1, 5)], false), before);
    for other in [
        listed(&[("a.gd", 2, 5), ("addons/b/b.gd", 1, 5)], false),
        listed(&[("a.gd", 1, 4), ("addons/b/b.gd", 1, 5)], false),
        listed(&[("c.gd", 1, 5), ("addons/b/b.gd", 1, 5)], false),
        listed(&[("a.gd", 1, 5)], false),
        listed(&[("a.gd", 1, 5), ("addons/b/b.gd", 1, 5)], true),
    ] {
        assert_ne!(other, before);
    }
    assert_ne!(project(&[], false).fingerprint("1"), project(&[], false).fingerprint("2"));
}

#[test]
fn hidden_folders_and_the_addon_itself_do_not_count() {
    for folder in ["net", "addons", "addons/lobby", "addons/rust_websocket_lobby", "a.b"] {
        assert!(Project::has_folder(folder), "{folder}");
    }
    for folder in [".godot", "net/.git", "addons/rust_websocket"] {
        assert!(!Project::has_folder(folder), "{folder}");
    }
    for (file, counts) in [("a.gd", true), ("A.GD", true), ("b.tscn", true), ("c.png", false), ("gd", false)]
    {
        assert_eq!(Project::has_file(file), counts, "{file}");
    }
}
