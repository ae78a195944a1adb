//! The project setting `rust_websocket/replace_engine_classes`: a project whose scripts name the engine's classes runs on
//! ours, and its files stay as they are. What is laid over `res://`, before the first script is loaded, is a resource pack of
//! the scripts with the names replaced. Exports have them replaced already (`addon/editor/replace_export.gd`).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use godot::classes::{ClassDb, Engine, ProjectSettings};
use godot::prelude::*;
use rust_websocket_rename::Replaced;

use crate::{
    project_files,
    report::{self, fence},
};

const SETTING: &str = "rust_websocket/replace_engine_classes";
const ADDONS_SETTING: &str = "rust_websocket/replace_engine_classes_in_addons";
/// Below the project's folder. Editors and version control leave it alone.
const CACHE: &str = ".godot/rust_websocket";
/// From here on the engine's `DirAccess` still lists a project's own files after a pack was laid over it.
const OLDEST_MINOR: i64 = 4;

/// Lays the pack over the project if the setting asks for it. To be called at the scene's initialization level: autoloads
/// and scenes come later.
pub(crate) fn apply() {
    fence((), || {
        let asks = !Engine::singleton().is_editor_hint() && is_on(SETTING);
        let Some(folder) = project_folder().filter(|_| asks) else { return };
        if let Err(problem) = lay_over(&folder) {
            report::mistake(format!("{SETTING}: {problem}. The project runs on the engine's own classes."));
        }
    });
}

fn is_on(setting: &str) -> bool {
    let settings = ProjectSettings::singleton();
    settings.has_setting(setting) && settings.get_setting_with_override(setting).booleanize()
}

/// The folder of a project that runs from its files; none in an exported game.
fn project_folder() -> Option<PathBuf> {
    let mut settings = ProjectSettings::singleton();
    let folder = settings.call("globalize_path", &["res://".to_variant()]).try_to::<GString>().ok()?;
    let folder = PathBuf::from(folder.to_string());
    folder.join("project.godot").is_file().then_some(folder)
}

fn lay_over(folder: &Path) -> Result<(), String> {
    let version = Engine::singleton().get_version_info();
    let number =
        |key: &str| version.get(key).and_then(|number| number.try_to::<i64>().ok()).unwrap_or_default();
    if (number("major"), number("minor")) < (4, OLDEST_MINOR) {
        return Err(format!("this needs Godot 4.{OLDEST_MINOR} or newer"));
    }
    let salt = format!("{} {}", env!("CARGO_PKG_VERSION"), number("hex"));
    let project = project_files::list(folder, is_on(ADDONS_SETTING)).map_err(|error| error.to_string())?;
    let pack = Pack::new(folder, project.fingerprint(&salt));
    if pack.empty.exists() {
        return Ok(());
    }
    if !pack.path.exists() {
        let read = |path: &str| project_files::read(folder, path);
        let replacement = project.replace(read).map_err(|error| error.to_string())?;
        pack.make(&replacement.files).map_err(|problem| format!("{} {problem}", pack.path.display()))?;
        // Said when it is made, not at every start.
        if let Some(list) = enumeration(&replacement.unreached) {
            report::notice(format!("{SETTING} does not reach all that names the engine's classes: {list}."));
        }
        if replacement.files.is_empty() {
            return Ok(());
        }
    }
    let path = GString::from(pack.path.to_string_lossy().as_ref());
    let arguments = [path.to_variant(), true.to_variant()];
    if ProjectSettings::singleton().call("load_resource_pack", &arguments).booleanize() {
        Ok(())
    } else {
        // Made anew at the next start.
        _ = fs::remove_file(&pack.path);
        Err(format!("{path} cannot be loaded"))
    }
}

/// What a line has room for.
fn enumeration(sentences: &[String]) -> Option<String> {
    const SHOWN: usize = 10;
    let (shown, rest) = sentences.split_at(sentences.len().min(SHOWN));
    let more = if rest.is_empty() { String::new() } else { format!("; and {} more", rest.len()) };
    (!shown.is_empty()).then(|| format!("{}{more}", shown.join("; ")))
}

/// The cached pack of one state of a project's files.
struct Pack {
    path: PathBuf,
    /// Takes its place where no file changes.
    empty: PathBuf,
}

impl Pack {
    fn new(folder: &Path, fingerprint: u64) -> Self {
        let name = folder.join(CACHE).join(format!("replaced-{fingerprint:016x}"));
        Self { path: name.with_extension("pck"), empty: name.with_extension("empty") }
    }

    /// Several processes may start at once: each makes its own, and whoever is last puts the same in its place.
    fn make(&self, files: &[Replaced]) -> Result<(), String> {
        let Some(cache) = self.path.parent() else { return Ok(()) };
        let work = cache.join(format!("making-{}", std::process::id()));
        let made = self.make_in(&work, files);
        _ = fs::remove_dir_all(&work);
        made?;
        self.remove_others(cache);
        Ok(())
    }

    fn make_in(&self, work: &Path, files: &[Replaced]) -> Result<(), String> {
        let said = |error: io::Error| format!("cannot be written: {error}");
        fs::create_dir_all(work).map_err(said)?;
        if files.is_empty() {
            return fs::write(&self.empty, "").map_err(said);
        }
        let unfinished = work.join("replaced.pck");
        let mut packer = ClassDb::singleton().instantiate("PCKPacker").try_to::<Gd<RefCounted>>();
        let packer =
            packer.as_mut().map_err(|_| "cannot be made: this engine has no PCKPacker".to_owned())?;
        ask(packer, "pck_start", &[text(&unfinished)])?;
        for (index, file) in files.iter().enumerate() {
            let source = work.join(index.to_string());
            fs::write(&source, &file.content).map_err(said)?;
            ask(packer, "add_file", &[format!("res://{}", file.path).to_variant(), text(&source)])?;
        }
        ask(packer, "flush", &[false.to_variant()])?;
        fs::rename(&unfinished, &self.path).map_err(said)
    }

    /// Of states that are gone. One that a running game has open stays where the system does not let go of it.
    fn remove_others(&self, cache: &Path) {
        for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_pack = entry.file_name().to_string_lossy().starts_with("replaced-");
            if is_pack && path != self.path && path != self.empty {
                _ = fs::remove_file(path);
            }
        }
    }
}

fn ask(packer: &mut Gd<RefCounted>, method: &str, arguments: &[Variant]) -> Result<(), String> {
    let code = packer.call(method, arguments).try_to::<i64>().unwrap_or(1);
    if code == 0 { Ok(()) } else { Err(format!("cannot be made: {method} answers {code}")) }
}

fn text(path: &Path) -> Variant {
    path.to_string_lossy().as_ref().to_variant()
}
