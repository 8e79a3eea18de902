//! PyTorch's files: a pickle, and the storages that it names.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use zip::ZipArchive;
use zip::read::ZipReadOptions;

use super::kind;
use super::pickle::{self, Pickle, PickleError, Storage, Value};

/// What the old format begins with: a number, pickled.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

/// Largest pickle of an archive, in bytes, which may be compressed. Numbers of tensors are not in it.
const LARGEST_PICKLE: u64 = 1 << 28;

/// A checkpoint of which nothing but the pickle was read.
#[derive(Debug)]
pub(super) struct Checkpoint {
    pub(super) pickle: Pickle,
    pub(super) layout: Layout,
}

/// Where a file has its storages.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    place: Place,
    /// Whether the first byte of a number is the most significant.
    pub(super) big_endian: bool,
}

#[derive(Clone, Debug)]
enum Place {
    /// Entries of an archive, in the folder of this name.
    Archive(String),
    /// First byte and length of each.
    Stream(HashMap<String, (u64, u64)>),
}

type Archive = ZipArchive<BufReader<File>>;

impl Checkpoint {
    /// Reads an archive (PyTorch 1.6 and later).
    pub(super) fn archive(path: &Path) -> Result<Self, PickleError> {
        let mut archive = open_archive(path)?;
        let names = archive.file_names().filter_map(Result::ok);
        let names: Vec<String> = names.map(|name| name.into_owned()).collect();
        if let Some(other) = kind::of_archive(&names) {
            return Err(PickleError::Foreign(other.to_owned()));
        }
        let folders = names
            .iter()
            .filter_map(|name| name.strip_suffix("data.pkl"));
        let folder = folders
            .filter(|folder| folder.is_empty() || folder.ends_with('/'))
            .min_by_key(|folder| folder.len());
        let Some(folder) = folder else {
            let reason = "a zip archive without data.pkl, which a PyTorch checkpoint has";
            return Err(PickleError::Foreign(reason.to_owned()));
        };
        let order = format!("{folder}byteorder");
        let big_endian =
            names.contains(&order) && entry(&mut archive, &order, 16)?.trim_ascii() == b"big";
        let bytes = entry(&mut archive, &format!("{folder}data.pkl"), LARGEST_PICKLE)?;
        if bytes.len() as u64 > LARGEST_PICKLE {
            let reason = format!("its pickle is larger than {LARGEST_PICKLE} bytes");
            return Err(PickleError::Damaged(reason));
        }
        let place = Place::Archive(folder.to_owned());
        Ok(Self {
            pickle: pickle::read(&mut bytes.as_slice())?,
            layout: Layout { place, big_endian },
        })
    }

    /// Reads a stream of pickles, which the storages follow (before PyTorch 1.6), or a lone pickle.
    pub(super) fn stream(path: &Path) -> Result<Self, PickleError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut reader = BufReader::new(file);
        let first = pickle::read(&mut reader)?;
        if !matches!(first.root, Value::Int(MAGIC)) {
            let place = Place::Stream(HashMap::new());
            let big_endian = false;
            let layout = Layout { place, big_endian };
            return Ok(Self {
                pickle: first,
                layout,
            });
        }
        let _version = pickle::read(&mut reader)?;
        let system = pickle::read(&mut reader)?;
        let little = system.heap.get(&system.root, "little_endian");
        let big_endian = matches!(little, Some(Value::Bool(false)));
        let pickle = pickle::read(&mut reader)?;
        let keys = pickle::read(&mut reader)?;
        let keys = keys.heap.sequence(&keys.root).unwrap_or_default();
        let sizes: HashMap<&str, usize> = pickle
            .heap
            .storages()
            .map(|storage| (storage.key.as_str(), storage.element.size))
            .collect();
        let mut places = HashMap::new();
        for key in keys.iter().filter_map(Value::text) {
            let Some(size) = sizes.get(key) else {
                return Err(PickleError::Damaged("a storage of no tensor".to_owned()));
            };
            let mut count = [0; 8];
            reader.read_exact(&mut count)?;
            let start = reader.stream_position()?;
            let bytes = u64::from_le_bytes(count).saturating_mul(*size as u64);
            match start.checked_add(bytes) {
                Some(end) if end <= length => reader.seek(SeekFrom::Start(end))?,
                _ => return Err(beyond(key)),
            };
            places.insert(key.to_owned(), (start, bytes));
        }
        let place = Place::Stream(places);
        let layout = Layout { place, big_endian };
        Ok(Self { pickle, layout })
    }
}

/// Reads the storages of a file; the last one is kept, since tensors may share it.
pub(super) struct StorageReader<'a> {
    layout: &'a Layout,
    file: Opened,
    /// No storage has more bytes.
    most: u64,
    last: Option<(String, Vec<u8>)>,
}

enum Opened {
    Archive(Box<Archive>),
    Stream(File),
}

impl<'a> StorageReader<'a> {
    pub(super) fn open(path: &Path, layout: &'a Layout, most: u64) -> Result<Self, PickleError> {
        let file = match &layout.place {
            Place::Archive(_) => Opened::Archive(Box::new(open_archive(path)?)),
            Place::Stream(_) => Opened::Stream(File::open(path)?),
        };
        Ok(Self {
            layout,
            file,
            most,
            last: None,
        })
    }

    /// The bytes of a storage, at least as many as it says.
    pub(super) fn bytes(&mut self, storage: &Storage) -> Result<&[u8], PickleError> {
        let known = self
            .last
            .as_ref()
            .is_some_and(|(key, _)| *key == storage.key);
        if !known {
            self.last = None;
        }
        let wanted = storage.start.checked_add(storage.count);
        let wanted = wanted.and_then(|count| count.checked_mul(storage.element.size));
        let wanted = wanted.map_or(u64::MAX, |bytes| bytes as u64);
        if wanted > self.most {
            return Err(beyond(&storage.key));
        }
        let (_, bytes) = match self.last.take() {
            Some(last) => self.last.insert(last),
            None => {
                let bytes = self.read(&storage.key)?;
                self.last.insert((storage.key.clone(), bytes))
            }
        };
        match bytes.len() as u64 >= wanted {
            true => Ok(bytes),
            false => Err(beyond(&storage.key)),
        }
    }

    fn read(&mut self, key: &str) -> Result<Vec<u8>, PickleError> {
        match (&mut self.file, &self.layout.place) {
            (Opened::Archive(archive), Place::Archive(folder)) => {
                entry(archive, &format!("{folder}data/{key}"), self.most)
            }
            (Opened::Stream(file), Place::Stream(places)) => {
                let (start, length) = *places.get(key).ok_or_else(|| beyond(key))?;
                file.seek(SeekFrom::Start(start))?;
                let mut bytes = Vec::new();
                file.take(length).read_to_end(&mut bytes)?;
                Ok(bytes)
            }
            _ => Err(beyond(key)),
        }
    }
}

fn beyond(key: &str) -> PickleError {
    let key = key.escape_debug();
    PickleError::Damaged(format!(
        "storage `{key}` reaches beyond the end of the file"
    ))
}

fn open_archive(path: &Path) -> Result<Archive, PickleError> {
    let file = BufReader::new(File::open(path)?);
    ZipArchive::new(file).map_err(|error| PickleError::Damaged(format!("zip archive: {error}")))
}

/// The bytes of an entry, or some more than `most` if it has more. One that is read whole is held
/// against its checksum, unless PyTorch was told to write none, and wrote zero.
fn entry(archive: &mut Archive, name: &str, most: u64) -> Result<Vec<u8>, PickleError> {
    let damaged = |error: &dyn std::fmt::Display| {
        let name = name.escape_debug();
        PickleError::Damaged(format!("zip archive, entry `{name}`: {error}"))
    };
    let index = archive.index_for_name(name);
    let index = index.ok_or_else(|| damaged(&"it is missing"))?;
    let checksum = archive
        .by_index_raw(index)
        .map_err(|error| damaged(&error))?;
    let options = ZipReadOptions::new().ignore_crc32(checksum.crc32() == 0);
    drop(checksum);
    let entry = archive.by_index_with_options(index, options);
    let entry = entry.map_err(|error| damaged(&error))?;
    let mut bytes = Vec::new();
    let mut limited = entry.take(most.saturating_add(1));
    limited
        .read_to_end(&mut bytes)
        .map_err(|error| damaged(&error))?;
    Ok(bytes)
}
