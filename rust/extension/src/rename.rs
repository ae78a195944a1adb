//! The rules of changing class names in scripts, for `addon/migrate.gd` and the editor's dialog: a Callable in the engine's
//! metadata and in the editor's plugin, since a class of ours would be offered by code completion. There is none in exported
//! games.

use godot::classes::{Engine, Os};
use godot::prelude::*;
use rust_websocket_rename::{Direction, Kind, Options, Place, Renamed, Role};

use crate::report::fence;

const NAME: &str = "rust_websocket_rename";

/// Puts it where scripts find it. To be called at the scene's initialization level.
pub(crate) fn offer() {
    // Not in the editor itself: a reloaded library would leave the engine with code that is gone. Its plugin has it there.
    if Os::singleton().has_feature("editor") && !Engine::singleton().is_editor_hint() {
        Engine::singleton().set_meta(NAME, &callable().to_variant());
    }
}

/// The rules, to be called from GDScript. Whoever keeps it has to let go before the library is unloaded.
pub(crate) fn callable() -> Callable {
    Callable::from_sync_fn(NAME, |arguments: &[&Variant]| {
        fence(VarDictionary::new(), || rename(arguments).unwrap_or_default())
    })
}

/// The engine keeps its metadata longer than the library.
pub(crate) fn withdraw() {
    let mut engine = Engine::singleton();
    if engine.has_meta(NAME) {
        engine.remove_meta(NAME);
    }
}

/// File name, content, whether to our names, whether in comments too (yes if it is left out). Answers nothing for files that
/// hold no scripts; else `content`, as it will be, and three lists of arrays: `lines` (number, before, after), `roles` (line,
/// what the name does there) and `already` (lines that have the new name now).
fn rename(arguments: &[&Variant]) -> Option<VarDictionary> {
    let [file_name, content, to_ours, rest @ ..] = arguments else { return None };
    let kind = Kind::of(&file_name.try_to::<GString>().ok()?.to_string())?;
    let content = content.try_to::<PackedByteArray>().ok()?;
    let direction = if to_ours.booleanize() { Direction::ToRust } else { Direction::ToEngine };
    let comments = rest.first().is_none_or(|comments| comments.booleanize());
    let source = content.as_slice();
    let renamed = Renamed::find(kind, source, Options { direction, comments });
    let mut answer = VarDictionary::new();
    answer.set("content", &PackedByteArray::from(renamed.apply(source).as_slice()));
    let mut lines = VarArray::new();
    for line in renamed.lines(source) {
        let number = number(line.number);
        lines.push(&varray![number, line.before.as_str(), line.after.as_str()].to_variant());
    }
    answer.set("lines", &lines);
    answer.set("roles", &places(&renamed.edits));
    answer.set("already", &places(&renamed.already));
    Some(answer)
}

fn places(places: &[Place]) -> VarArray {
    let mut list = VarArray::new();
    for place in places {
        list.push(&varray![number(place.line), word_for(place.role)].to_variant());
    }
    list
}

fn number(line: usize) -> i64 {
    i64::try_from(line).unwrap_or(i64::MAX)
}

fn word_for(role: Role) -> &'static str {
    match role {
        Role::Extends => "extends",
        Role::Is => "is",
        Role::Declaration => "declaration",
        Role::Text => "text",
        Role::Comment => "comment",
        _ => "reference",
    }
}
