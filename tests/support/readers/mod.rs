//! Every reader of files and words from outside, to be given any bytes: by a fuzzer (`fuzz/`), and by
//! the test that gives them again what one has found.
//!
//! A reader may refuse what it is given, by an error of one line without control characters, which names
//! the file if there is one. It may not panic, hang, or take memory out of proportion.

mod data;
mod recipes;
mod runs;
mod scratch;
mod weights;

/// A reader by the name of its inputs.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// The name of the fuzz target, and of the folders of its inputs.
    pub name: &'static str,
    /// Reads a file of these bytes, and uses what it holds.
    pub read: fn(&[u8]),
}

/// All readers.
pub const READERS: &[Reader] = &[
    reader("pytorch_zip", weights::pytorch),
    reader("pytorch_legacy", weights::pytorch),
    reader("pytorch_pickle", weights::pickle),
    reader("safetensors", weights::safetensors),
    reader("cifar_binary", data::cifar_binary),
    reader("cifar_python", data::cifar_python),
    reader("tiny_imagenet", data::tiny_imagenet),
    reader("image", data::image),
    reader("recipe", recipes::recipe),
    reader("assignments", recipes::assignments),
    reader("foreign_file", recipes::foreign_file),
    reader("command_line", recipes::command_line),
    reader("sweep_file", recipes::sweep_file),
    reader("teacher_cache", runs::teacher_cache),
    reader("checkpoint", runs::checkpoint),
    reader("event_file", runs::event_file),
    reader("run_records", runs::records),
];

const fn reader(name: &'static str, read: fn(&[u8])) -> Reader {
    Reader { name, read }
}

/// Gives bytes to the reader of a name.
///
/// # Panics
///
/// If no reader has this name, and whenever the reader does what it may not do.
pub fn read(name: &str, bytes: &[u8]) {
    let reader = READERS.iter().find(|reader| reader.name == name);
    let reader = reader.unwrap_or_else(|| panic!("no reader is named {name}"));
    (reader.read)(bytes);
}

/// Checks what is said of bytes that cannot be used.
fn check(error: &impl std::fmt::Display) {
    let text = error.to_string();
    let control = text.chars().find(|letter| letter.is_control());
    assert_eq!(control, None, "in an error: {text:?}");
}

/// The same, where it has to name a file.
fn check_named(error: &impl std::fmt::Display, path: &std::path::Path) {
    check(error);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = error.to_string();
    assert!(text.contains(&*name), "{name} is not named: {text:?}");
}
