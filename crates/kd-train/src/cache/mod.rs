//! A frozen teacher's outputs, kept for the images and views that it has seen.

mod file;
mod fingerprint;
mod place;
mod table;

use std::path::Path;

use burn::tensor::{Device, Int, Tensor, TensorData};
use kd_core::{Features, Network, Reads};
use kd_data::{Augmentation, Batch, ImageSet};

use self::fingerprint::fingerprint;
pub use self::place::CachePlace;
use self::table::{Key, Table};
use crate::{FrozenTeacher, TrainError};

/// New rows that may wait on the device: a bound of memory.
const PENDING: usize = 1 << 14;
/// Images from which on an output on the CPU does not depend, to the last digit, on how many are
/// computed with it: for fewer, other kernels may be faster.
const FEWEST: usize = 4;
/// By how much of the largest number a row may differ from a recomputed one before the file is held
/// to be another teacher's: what other kernels and devices round differently.
const ROUNDING: f32 = 1e-3;

/// What is kept of a teacher's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Logits,
    LogitsAndPooled,
}

/// The outputs of a [`FrozenTeacher`], by image and view.
///
/// An augmentation can show an image in finitely many ways
/// ([`Augmentation::views`], 162 for CIFAR), and a frozen teacher gives the same output for the same
/// view each time. So an output is computed once, kept as one row of f32 numbers, and read
/// afterwards: by later epochs, and, with [`CachePlace::Folder`], by other runs with the same
/// teacher and the same images. All views of CIFAR-100 are 3.2 GB of logits; a run of 240 epochs
/// draws 48 % of its views at least a second time, and a second run with the same seed draws the
/// very views of the first.
///
/// # Exactness
///
/// By the kernels of this workspace on the CPU, a row is, to the last digit, what the teacher gives for
/// the image in any batch of at least four; smaller batches neither read nor fill the cache. On a GPU,
/// and with the kernels turned off, the last digits may depend on the number of images that are
/// computed at once.
///
/// A file is used for nothing else than what it was made for: its name and header hold a checksum of
/// weights, images, normalization, augmentation, device, version and instructions. Each row has a
/// checksum; one that is found damaged is computed again. And the first batch that finds rows of
/// another run is computed all the same and compared.
///
/// # On the device
///
/// A step waits for nothing: rows that are found are uploaded, rows that are new stay on the device
/// until [`flush`](Self::flush), or until there are 16,384 of them.
#[derive(Debug)]
pub struct TeacherCache {
    table: Table,
    kept: Kept,
    classes: usize,
    pending: Vec<(Vec<Key>, Tensor<2>)>,
    waiting: usize,
    /// Whether rows came from another run, and none has been compared since.
    unproven: bool,
    /// The number of computed images is a multiple of this, so that a device that compiles for
    /// each shape meets few.
    granule: usize,
    report: CacheReport,
}

/// What a [`TeacherCache`] has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheReport {
    /// Images whose output was read.
    pub read: u64,
    /// Images whose output was computed, as the cache had none.
    pub computed: u64,
    /// Rows, also those of other runs.
    pub rows: usize,
    /// Bytes of all rows, where they are kept.
    pub bytes: u64,
}

/// Where a cache is and how large it may become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeacherCacheConfig {
    /// Where the rows are kept.
    pub place: CachePlace,
    /// Bytes that they may take; to find a row again takes some 30 bytes of memory more. What does
    /// not fit is computed each time.
    pub limit: u64,
}

impl TeacherCacheConfig {
    /// Opens the cache of a teacher's outputs for the images of a set.
    ///
    /// `reads` is what the losses read of the teacher: with [`Reads::Logits`] only they are kept.
    ///
    /// # Errors
    ///
    /// [`TrainError::Value`] if `reads` is [`Reads::Maps`], which are not kept;
    /// [`TrainError::Conflict`] with an augmentation that shows hardly an image twice in the same way;
    /// [`TrainError::Io`] if the file cannot be used.
    pub fn open<T: Network>(
        &self,
        teacher: &FrozenTeacher<T>,
        set: &ImageSet,
        augmentation: &Augmentation,
        reads: Reads,
        device: &Device,
    ) -> Result<TeacherCache, TrainError> {
        if augmentation.views().is_none() {
            let name = augmentation.name();
            return Err(TrainError::conflict(
                "teacher.cache",
                format!("augmentation.kind: {name}"),
            ));
        }
        let kept = match reads {
            Reads::Nothing | Reads::Logits => Kept::Logits,
            Reads::Pooled => Kept::LogitsAndPooled,
            Reads::Maps => {
                let expected = "a method that reads only logits or pooled features";
                return Err(TrainError::value("teacher.cache", "`maps`", expected));
            }
        };
        let device = &device.clone().without_autodiff();
        let input = [set.channels(), set.height(), set.width()];
        let shapes = teacher.shapes(input, device);
        let width = match kept {
            Kept::Logits => shapes.classes,
            Kept::LogitsAndPooled => shapes.classes + shapes.pooled,
        };
        let table = match &self.place {
            CachePlace::Memory => Table::in_memory(width, self.limit),
            CachePlace::Folder(folder) => {
                let sum = fingerprint(teacher, set, augmentation, kept, device)?;
                let path = folder.join(file_name(teacher.name(), &sum));
                open_file(&path, &sum, width, self.limit)?
            }
        };
        Ok(TeacherCache {
            unproven: table.len() > 0,
            table,
            kept,
            classes: shapes.classes,
            pending: Vec::new(),
            waiting: 0,
            granule: if kd_kernels::is_cpu(device) { 1 } else { 8 },
            report: CacheReport::default(),
        })
    }
}

impl TeacherCache {
    /// The teacher's features of a batch, computed for those images only that have no row.
    ///
    /// The features have no maps; those of a cache for [`Reads::Logits`] have zeros `[batch, 1]`
    /// for pooled features. They are plain tensors on the device of the images.
    ///
    /// # Errors
    ///
    /// [`TrainError::Value`] if the rows are not this teacher's.
    pub fn features<T: Network>(
        &mut self,
        teacher: &FrozenTeacher<T>,
        batch: &Batch,
    ) -> Result<Features, TrainError> {
        let images = batch.images.clone().inner();
        let count = batch.len();
        if count < FEWEST {
            self.report.computed += count as u64;
            let rows = self.pack(teacher.summary(images));
            return Ok(self.unpack(rows));
        }
        let keys: Vec<Key> = std::iter::zip(&batch.host_indices, &batch.views)
            .map(|(image, view)| Key {
                image: *image as u32,
                view: *view,
            })
            .collect();
        let mut values = Vec::new();
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for (position, key) in keys.iter().enumerate() {
            match self.table.read(*key, &mut values) {
                true => found.push(position),
                false => missing.push(position),
            }
        }
        if self.unproven && !found.is_empty() {
            self.prove(teacher, &images, &found, &values)?;
        }
        self.report.read += found.len() as u64;
        self.report.computed += missing.len() as u64;

        let rows = if missing.is_empty() {
            upload(values, count, &images.device())
        } else {
            let fresh = self.compute(teacher, &images, &missing);
            self.keep(missing.iter().map(|p| keys[*p]).collect(), fresh.clone())?;
            if found.is_empty() {
                fresh
            } else {
                let old = upload(values, found.len(), &images.device());
                let mut order = vec![0; count];
                for (row, position) in found.iter().chain(&missing).enumerate() {
                    order[*position] = row;
                }
                let order = positions(&order, &images.device());
                Tensor::cat(vec![old, fresh], 0).select(0, order)
            }
        };
        Ok(self.unpack(rows))
    }

    /// Moves new rows from the device to where they are kept. Called at the end of an epoch; what
    /// has not been moved is lost.
    ///
    /// A file that cannot be written to, as on a full disk, is given up with a warning: rows that
    /// it has are still read.
    ///
    /// # Errors
    ///
    /// [`TrainError::Device`] if the rows cannot be read from the device.
    pub fn flush(&mut self) -> Result<(), TrainError> {
        self.waiting = 0;
        let (keys, rows): (Vec<_>, Vec<_>) = self.pending.drain(..).unzip();
        if rows.is_empty() {
            return Ok(());
        }
        let values = read_back(Tensor::cat(rows, 0))?;
        match self.table.add(&keys.concat(), &values) {
            Ok(others) => self.unproven |= others > 0,
            Err(error) => {
                tracing::warn!(%error, "the teacher cache accepts no more rows");
                self.table.close();
            }
        }
        Ok(())
    }

    /// What was read and computed so far, and how large the cache is.
    pub fn report(&self) -> CacheReport {
        CacheReport {
            rows: self.table.len(),
            bytes: self.table.bytes(),
            ..self.report
        }
    }

    /// Rows of the images at these positions.
    fn compute<T: Network>(
        &self,
        teacher: &FrozenTeacher<T>,
        images: &Tensor<4>,
        missing: &[usize],
    ) -> Tensor<2> {
        let [count, ..] = images.dims();
        let wanted = missing.len();
        if wanted == count {
            return self.pack(teacher.summary(images.clone()));
        }
        let run = wanted.next_multiple_of(self.granule).clamp(FEWEST, count);
        let mut chosen = missing.to_vec();
        chosen.resize(run, missing[wanted - 1]);
        let chosen = images
            .clone()
            .select(0, positions(&chosen, &images.device()));
        self.pack(teacher.summary(chosen)).narrow(0, 0, wanted)
    }

    fn keep(&mut self, keys: Vec<Key>, rows: Tensor<2>) -> Result<(), TrainError> {
        if self.table.is_full() {
            return Ok(());
        }
        self.waiting += keys.len();
        self.pending.push((keys, rows));
        match self.waiting < PENDING {
            true => Ok(()),
            false => self.flush(),
        }
    }

    /// Compares rows that were found with what the teacher computes.
    fn prove<T: Network>(
        &mut self,
        teacher: &FrozenTeacher<T>,
        images: &Tensor<4>,
        found: &[usize],
        values: &[f32],
    ) -> Result<(), TrainError> {
        let rows = self.pack(teacher.summary(images.clone()));
        let expected = read_back(rows.select(0, positions(found, &images.device())))?;
        let largest = expected.iter().fold(0.0f32, |max, v| max.max(v.abs()));
        let differences = std::iter::zip(&expected, values).map(|(a, b)| (a - b).abs());
        // A NaN on either side is a difference.
        let greater = |max: f32, d: f32| if max.is_nan() || d <= max { max } else { d };
        let difference = differences.fold(0.0, greater);
        if difference == 0.0 {
            tracing::debug!(
                rows = found.len(),
                "cached outputs are what the teacher computes"
            );
        } else if difference <= ROUNDING * largest {
            tracing::warn!(
                difference,
                largest,
                "cached outputs differ from computed ones by rounding: they come from another machine"
            );
        } else {
            let expected = "this teacher's outputs: remove the file, or choose another directory";
            let found = format!("a cache whose rows differ by {difference} of {largest}");
            return Err(TrainError::value("teacher.cache", found, expected));
        }
        self.unproven = false;
        Ok(())
    }

    fn pack(&self, features: Features) -> Tensor<2> {
        match self.kept {
            Kept::Logits => features.logits,
            Kept::LogitsAndPooled => Tensor::cat(vec![features.logits, features.pooled], 1),
        }
    }

    fn unpack(&self, rows: Tensor<2>) -> Features {
        let [count, width] = rows.dims();
        let (logits, pooled) = match self.kept {
            Kept::Logits => {
                let pooled = Tensor::zeros([count, 1], &rows.device());
                (rows, pooled)
            }
            Kept::LogitsAndPooled => (
                rows.clone().narrow(1, 0, self.classes),
                rows.narrow(1, self.classes, width - self.classes),
            ),
        };
        Features {
            maps: Vec::new(),
            preact: Vec::new(),
            pooled,
            logits,
        }
    }
}

/// `<teacher>-<beginning of the checksum>.kdcache`.
fn file_name(teacher: &str, sum: &[u8]) -> String {
    let plain = |c: char| {
        if c.is_alphanumeric() || c == '_' {
            c
        } else {
            '-'
        }
    };
    let mut name: String = teacher.chars().map(plain).collect();
    name.push('-');
    for byte in &sum[..8] {
        name.push_str(&format!("{byte:02x}"));
    }
    name + ".kdcache"
}

fn open_file(path: &Path, sum: &[u8; 32], width: usize, limit: u64) -> Result<Table, TrainError> {
    let table = Table::in_file(path, sum, width, limit)?;
    tracing::info!(file = %path.display(), rows = table.len(), "the teacher's cache");
    Ok(table)
}

fn upload(values: Vec<f32>, rows: usize, device: &Device) -> Tensor<2> {
    let width = values.len() / rows;
    Tensor::from_data(TensorData::new(values, [rows, width]), device)
}

fn positions(positions: &[usize], device: &Device) -> Tensor<1, Int> {
    let positions: Vec<i32> = positions.iter().map(|p| *p as i32).collect();
    Tensor::from_ints(&*positions, device)
}

fn read_back(rows: Tensor<2>) -> Result<Vec<f32>, TrainError> {
    rows.into_data()
        .convert::<f32>()
        .try_into_vec()
        .map_err(|error| TrainError::Device(format!("cannot read the teacher's rows: {error:?}")))
}

#[cfg(test)]
mod tests;
