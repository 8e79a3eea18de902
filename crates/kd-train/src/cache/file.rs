//! Rows in a file that grows, and that several runs may use at once.
//!
//! A header names what the rows depend on; each record after it is a key, a row and a checksum.
//! Records are only ever added, under a lock. One that was cut off, by a crash or a full disk, ends
//! the file: it and what follows are dropped by the next addition.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Error, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::fingerprint::Fingerprint;
use super::table::Key;
use crate::TrainError;

const MAGIC: &[u8; 8] = b"KDCACHE1";
/// Magic, fingerprint and width.
const HEADER: usize = 8 + 32 + 4;
/// Image and view before a row, and the checksum after it.
const FRAME: usize = 4 + 4 + 4;

#[derive(Debug)]
pub(crate) struct RowFile {
    path: PathBuf,
    file: File,
    width: usize,
    /// Sound records that are known.
    rows: u32,
}

impl RowFile {
    /// Opens or makes the file of this fingerprint, for rows of `width` numbers.
    pub(crate) fn open(
        path: &Path,
        fingerprint: &Fingerprint,
        width: usize,
    ) -> Result<Self, TrainError> {
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(fingerprint);
        header.extend_from_slice(&(width as u32).to_le_bytes());
        let open = || -> std::io::Result<File> {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut options = OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(false);
            let mut file = options.open(path)?;
            file.lock()?;
            let mut found = Vec::new();
            (&file).take(HEADER as u64).read_to_end(&mut found)?;
            if found != header {
                // Only what is the beginning of a header was cut off while it was written.
                if !header.starts_with(&found) {
                    let reason = "does not hold this teacher's outputs; remove it";
                    return Err(Error::new(ErrorKind::InvalidData, reason));
                }
                file.rewind()?;
                file.write_all(&header)?;
                file.sync_all()?;
            }
            file.unlock()?;
            Ok(file)
        };
        Ok(Self {
            file: open().map_err(|error| TrainError::io(path, error))?,
            path: path.to_owned(),
            width,
            rows: 0,
        })
    }

    fn record(&self) -> usize {
        FRAME + 4 * self.width
    }

    fn offset(&self, row: u32) -> u64 {
        HEADER as u64 + u64::from(row) * self.record() as u64
    }

    /// How many rows a file of so many bytes holds.
    pub(crate) fn capacity(width: usize, bytes: u64) -> u64 {
        bytes.saturating_sub(HEADER as u64) / (FRAME + 4 * width) as u64
    }

    pub(crate) fn rows(&self) -> u32 {
        self.rows
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.offset(self.rows)
    }

    /// Reads the keys of the records that are new, in their order.
    pub(crate) fn refresh(&mut self, mut new: impl FnMut(Key)) -> Result<(), TrainError> {
        let mut refresh = || -> std::io::Result<()> {
            self.file.seek(SeekFrom::Start(self.offset(self.rows)))?;
            let mut record = vec![0; self.record()];
            let mut reader = BufReader::with_capacity(1 << 20, &self.file);
            loop {
                match reader.read_exact(&mut record) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                    Err(error) => return Err(error),
                }
                let Some((key, _)) = decode(&record) else {
                    tracing::warn!(
                        file = %self.path.display(),
                        row = self.rows,
                        "a damaged row; it and later ones are computed again"
                    );
                    return Ok(());
                };
                new(key);
                self.rows += 1;
            }
        };
        refresh().map_err(|error| TrainError::io(&self.path, error))
    }

    /// Reads one row into `out`.
    pub(crate) fn read(
        &mut self,
        row: u32,
        key: Key,
        out: &mut Vec<f32>,
    ) -> Result<(), TrainError> {
        let mut record = vec![0; self.record()];
        let mut read = || -> std::io::Result<()> {
            self.file.seek(SeekFrom::Start(self.offset(row)))?;
            self.file.read_exact(&mut record)?;
            match decode(&record) {
                Some((found, values)) if found == key => {
                    let values = values.chunks_exact(4);
                    out.extend(values.map(|v| f32::from_le_bytes([v[0], v[1], v[2], v[3]])));
                    Ok(())
                }
                _ => {
                    let reason = format!("row {row} has changed since it was read; remove it");
                    Err(Error::new(ErrorKind::InvalidData, reason))
                }
            }
        };
        read().map_err(|error| TrainError::io(&self.path, error))
    }

    /// Adds rows that no other run has added, as long as there are fewer than `capacity`.
    /// `added` is told the key of each new row, also of those of others, whose number is returned.
    pub(crate) fn append<'a>(
        &mut self,
        rows: impl Iterator<Item = (Key, &'a [f32])>,
        capacity: u64,
        mut added: impl FnMut(Key),
    ) -> Result<usize, TrainError> {
        let path = self.path.clone();
        let fail = |error| TrainError::io(&path, error);
        self.file.lock().map_err(fail)?;
        let mut others = std::collections::HashSet::new();
        let refreshed = self.refresh(|key| {
            others.insert(key);
            added(key);
        });
        let room = capacity.saturating_sub(u64::from(self.rows)) as usize;
        let mut bytes = Vec::new();
        let mut keys = Vec::new();
        for (key, values) in rows.filter(|(key, _)| !others.contains(key)).take(room) {
            encode(key, values, &mut bytes);
            keys.push(key);
        }
        let mut write = || -> std::io::Result<()> {
            let end = self.offset(self.rows);
            if self.file.metadata()?.len() < end {
                return Err(Error::new(ErrorKind::InvalidData, "has lost rows"));
            }
            self.file.set_len(end)?;
            self.file.seek(SeekFrom::Start(end))?;
            self.file.write_all(&bytes)
        };
        let written = refreshed.and_then(|()| match keys.is_empty() {
            true => Ok(()),
            false => write().map_err(fail),
        });
        self.file.unlock().map_err(fail)?;
        written?;
        self.rows += keys.len() as u32;
        keys.into_iter().for_each(added);
        Ok(others.len())
    }
}

fn encode(key: Key, values: &[f32], bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.extend_from_slice(&key.image.to_le_bytes());
    bytes.extend_from_slice(&u32::from(key.view).to_le_bytes());
    for value in values {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    let sum = crc32c::crc32c(&bytes[start..]);
    bytes.extend_from_slice(&sum.to_le_bytes());
}

/// Key and row of a record, if its checksum is right.
fn decode(record: &[u8]) -> Option<(Key, &[u8])> {
    let (content, sum) = record.split_last_chunk::<4>()?;
    if crc32c::crc32c(content) != u32::from_le_bytes(*sum) {
        return None;
    }
    let (image, rest) = content.split_first_chunk::<4>()?;
    let (view, values) = rest.split_first_chunk::<4>()?;
    let key = Key {
        image: u32::from_le_bytes(*image),
        view: u16::try_from(u32::from_le_bytes(*view)).ok()?,
    };
    Some((key, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: Fingerprint = [7; 32];

    fn key(image: u32) -> Key {
        Key { image, view: 3 }
    }

    fn keys(file: &mut RowFile) -> Vec<u32> {
        let mut keys = Vec::new();
        file.refresh(|key| keys.push(key.image)).expect("readable");
        keys
    }

    fn append(file: &mut RowFile, images: &[u32]) {
        let rows: Vec<[f32; 2]> = images.iter().map(|i| [*i as f32, -1.0]).collect();
        let rows = images.iter().zip(&rows);
        file.append(rows.map(|(i, row)| (key(*i), &row[..])), 1000, |_| {})
            .expect("writable");
    }

    fn row(file: &mut RowFile, row: u32, image: u32) -> Result<Vec<f32>, TrainError> {
        let mut values = Vec::new();
        file.read(row, key(image), &mut values)?;
        Ok(values)
    }

    #[test]
    fn rows_are_read_again_and_shared_with_another_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/rows");
        let mut one = RowFile::open(&path, &SUM, 2).expect("a file");
        let mut other = RowFile::open(&path, &SUM, 2).expect("a file");
        append(&mut one, &[5, 6]);
        // 6 is there already, and what the first run added is known now.
        append(&mut other, &[6, 8]);
        assert_eq!(other.rows(), 3);
        assert_eq!(row(&mut other, 1, 6).expect("a row"), [6.0, -1.0]);
        assert_eq!(keys(&mut one), [8]);
        assert_eq!(row(&mut one, 2, 8).expect("a row"), [8.0, -1.0]);
        let mut again = RowFile::open(&path, &SUM, 2).expect("a file");
        assert_eq!(keys(&mut again), [5, 6, 8]);
        let length = std::fs::metadata(&path).expect("a file").len();
        assert_eq!(again.bytes(), length);
        assert_eq!(RowFile::capacity(2, length), 3);
        assert_eq!(RowFile::capacity(2, length - 1), 2);
    }

    #[test]
    fn what_was_cut_off_or_damaged_is_dropped() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows");
        let mut file = RowFile::open(&path, &SUM, 2).expect("a file");
        append(&mut file, &[1, 2, 3]);
        let whole = std::fs::read(&path).expect("bytes");
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).expect("written");
            let mut file = RowFile::open(&path, &SUM, 2).expect("a file");
            let sound = keys(&mut file);
            assert_eq!(
                sound,
                [1, 2, 3][..RowFile::capacity(2, length as u64) as usize]
            );
            append(&mut file, &[9]);
            let mut again = RowFile::open(&path, &SUM, 2).expect("a file");
            assert_eq!(keys(&mut again), [sound, vec![9]].concat());
        }
        let mut damaged = whole.clone();
        let second = HEADER + FRAME + 8;
        damaged[second + 9] ^= 1;
        std::fs::write(&path, &damaged).expect("written");
        let mut file = RowFile::open(&path, &SUM, 2).expect("a file");
        assert_eq!(keys(&mut file), [1]);
    }

    #[test]
    fn a_row_that_changes_under_a_run_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows");
        let mut file = RowFile::open(&path, &SUM, 2).expect("a file");
        append(&mut file, &[1, 2]);
        let message = row(&mut file, 0, 2).expect_err("another key").to_string();
        assert!(message.contains("row 0 has changed"), "{message}");
    }

    #[test]
    fn a_file_of_something_else_is_refused_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows");
        RowFile::open(&path, &[8; 32], 2).expect("a file");
        let error = RowFile::open(&path, &SUM, 2).expect_err("another teacher");
        assert!(
            error.to_string().contains("rows: does not hold this"),
            "{error}"
        );
        std::fs::write(&path, "notes").expect("written");
        RowFile::open(&path, &SUM, 2).expect_err("no cache");
        assert_eq!(std::fs::read(&path).expect("bytes"), b"notes");
    }

    #[test]
    fn no_more_rows_than_there_is_room_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = RowFile::open(&folder.path().join("rows"), &SUM, 1).expect("a file");
        let rows = [1.0f32, 2.0, 3.0];
        let rows = (0..).zip(rows.chunks(1)).map(|(i, row)| (key(i), row));
        let mut added = 0;
        file.append(rows, 2, |_| added += 1).expect("writable");
        assert_eq!((added, file.rows()), (2, 2));
    }
}
