//! Rows by image and view.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use super::file::RowFile;
use super::fingerprint::Fingerprint;
use crate::TrainError;

/// Most rows of a table: their numbers have 32 bits.
const MOST: u64 = u32::MAX as u64;

/// An image as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) image: u32,
    pub(crate) view: u16,
}

/// Rows of one width, found by their keys.
#[derive(Debug)]
pub(crate) struct Table {
    width: usize,
    index: HashMap<Key, u32>,
    rows: Rows,
    capacity: u64,
}

#[derive(Debug)]
enum Rows {
    Memory(Vec<f32>),
    File(RowFile),
}

impl Table {
    /// A table in memory, of at most so many bytes.
    pub(crate) fn in_memory(width: usize, limit: u64) -> Self {
        Self {
            width,
            index: HashMap::new(),
            rows: Rows::Memory(Vec::new()),
            capacity: (limit / (4 * width as u64)).min(MOST),
        }
    }

    /// The table of a file, which grows to at most so many bytes.
    pub(crate) fn in_file(
        path: &Path,
        fingerprint: &Fingerprint,
        width: usize,
        limit: u64,
    ) -> Result<Self, TrainError> {
        let mut file = RowFile::open(path, fingerprint, width)?;
        let mut index = HashMap::new();
        file.refresh(numbering(&mut index, 0))?;
        Ok(Self {
            width,
            index,
            rows: Rows::File(file),
            capacity: RowFile::capacity(width, limit).min(MOST),
        })
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Bytes of all rows, where they are kept.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.rows {
            Rows::Memory(values) => 4 * values.len() as u64,
            Rows::File(file) => file.bytes(),
        }
    }

    /// Whether there is no room for another row.
    pub(crate) fn is_full(&self) -> bool {
        self.len() as u64 >= self.capacity
    }

    /// Takes no more rows.
    pub(crate) fn close(&mut self) {
        self.capacity = 0;
    }

    /// Adds a row to the end of `out`, and says whether there is one. A row that cannot be read any
    /// more is forgotten.
    pub(crate) fn read(&mut self, key: Key, out: &mut Vec<f32>) -> bool {
        let Some(row) = self.index.get(&key) else {
            return false;
        };
        match &mut self.rows {
            Rows::Memory(values) => {
                let start = *row as usize * self.width;
                out.extend_from_slice(&values[start..start + self.width]);
            }
            Rows::File(file) => {
                if let Err(error) = file.read(*row, key, out) {
                    tracing::warn!(%error, "the teacher's output is computed again");
                    self.index.remove(&key);
                    return false;
                }
            }
        }
        true
    }

    /// Adds rows, as far as there is room. A row that is there stays as it is. Returns how many rows
    /// of other runs it has met in the file.
    pub(crate) fn add(&mut self, keys: &[Key], values: &[f32]) -> Result<usize, TrainError> {
        let room = self.capacity.saturating_sub(self.len() as u64) as usize;
        match &mut self.rows {
            Rows::Memory(all) => {
                let rows = keys.iter().zip(values.chunks_exact(self.width));
                let mut left = room;
                for (key, row) in rows {
                    let next = self.index.len() as u32;
                    if left > 0
                        && let Entry::Vacant(place) = self.index.entry(*key)
                    {
                        place.insert(next);
                        all.extend_from_slice(row);
                        left -= 1;
                    }
                }
                Ok(0)
            }
            Rows::File(file) => {
                let mut seen = std::collections::HashSet::new();
                let rows = keys.iter().copied().zip(values.chunks_exact(self.width));
                let new: Vec<_> = rows
                    .filter(|(key, _)| !self.index.contains_key(key) && seen.insert(*key))
                    .collect();
                let first = file.rows();
                let number = numbering(&mut self.index, first);
                file.append(new.into_iter(), self.capacity, number)
            }
        }
    }
}

/// Gives the rows of a file their numbers, from `next` on. The first of equal keys counts.
fn numbering(index: &mut HashMap<Key, u32>, mut next: u32) -> impl FnMut(Key) {
    move |key| {
        index.entry(key).or_insert(next);
        next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(image: u32, view: u16) -> Key {
        Key { image, view }
    }

    fn tables(limit: u64) -> (tempfile::TempDir, [Table; 2]) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows");
        let file = Table::in_file(&path, &[1; 32], 2, limit).expect("a file");
        (folder, [Table::in_memory(2, limit), file])
    }

    #[test]
    fn rows_are_found_by_image_and_view() {
        let (_folder, tables) = tables(1 << 20);
        for mut table in tables {
            let keys = [key(1, 0), key(0, 1), key(1, 0)];
            table
                .add(&keys, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
                .expect("added");
            table
                .add(&[key(1, 0), key(2, 2)], &[7.0, 8.0, 9.0, 10.0])
                .expect("added");
            assert_eq!(table.len(), 3);
            let mut out = Vec::new();
            for (image, view) in [(2, 2), (0, 1), (1, 0)] {
                assert!(table.read(key(image, view), &mut out));
            }
            assert!(!table.read(key(0, 0), &mut out));
            assert_eq!(out, [9.0, 10.0, 3.0, 4.0, 1.0, 2.0]);
        }
    }

    #[test]
    fn a_table_does_not_outgrow_its_limit() {
        let (_folder, tables) = tables(100);
        for mut table in tables {
            let keys: Vec<_> = (0..50).map(|image| key(image, 0)).collect();
            table.add(&keys, &[0.5; 100]).expect("added");
            assert!(table.bytes() <= 100 && table.is_full() && table.len() > 1);
            let before = table.len();
            table.add(&[key(60, 0)], &[1.0, 1.0]).expect("ignored");
            assert_eq!(table.len(), before);
        }
    }
}
