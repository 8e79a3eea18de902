//! Files to image sets.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::ImageFiles;
use crate::dataset::{Fit, Pixels};
use crate::picture::Picture;
use crate::{DataError, ImageSet, Splits};

/// The files of a data set.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) root: PathBuf,
    pub(super) train: Vec<(PathBuf, u32)>,
    pub(super) test: Vec<(PathBuf, u32)>,
    /// The names of the classes, by label.
    pub(super) classes: Vec<String>,
}

/// The sizes `[height, width]` of the images of some files.
struct Sized {
    files: Vec<(PathBuf, u32)>,
    sizes: Vec<[usize; 2]>,
}

/// Looks at all files, and decodes those that are few enough.
pub(super) fn gather(config: &ImageFiles, listed: Listed) -> Result<Splits, DataError> {
    let part = |mut files: Vec<(PathBuf, u32)>, limit: Option<usize>| {
        files.truncate(limit.unwrap_or(usize::MAX));
        let sizes: Result<Vec<_>, _> = files.par_iter().map(|(p, _)| Picture::size(p)).collect();
        Ok(Sized {
            sizes: sizes?,
            files,
        })
    };
    let train = part(listed.train, config.limits.train)?;
    let test = part(listed.test, config.limits.test)?;
    let size = match config.image_size {
        Some(side) => [side, side],
        None => one_size([&train, &test], &listed.root)?,
    };
    let fit = Fit {
        size,
        share: config.image_size.map_or(1.0, |_| config.middle),
    };
    let set = |part: Sized| {
        let labels = part.files.iter().map(|(_, label)| *label).collect();
        let pixels = part.pixels(config, fit)?;
        ImageSet::of_pixels(
            pixels,
            labels,
            fit,
            listed.classes.len(),
            config.normalization,
        )?
        .with_class_names(listed.classes.clone())
    };
    Ok(Splits {
        train: set(train)?,
        test: set(test)?,
    })
}

/// The size of all images.
fn one_size(parts: [&Sized; 2], root: &Path) -> Result<[usize; 2], DataError> {
    let mut all = parts
        .iter()
        .flat_map(|part| part.files.iter().zip(&part.sizes));
    let Some(((first, _), size)) = all.next() else {
        return Err(DataError::content(root, "it contains no images"));
    };
    match all.find(|(_, other)| *other != size) {
        Some(((path, _), other)) => Err(DataError::Sizes {
            first: first.clone(),
            first_size: *size,
            path: path.clone(),
            size: *other,
        }),
        None => Ok(*size),
    }
}

impl Sized {
    /// The decoded images, or their files if they take too much memory.
    fn pixels(self, config: &ImageFiles, fit: Fit) -> Result<Pixels, DataError> {
        let bytes = self
            .sizes
            .iter()
            .map(|[h, w]| 3 * (h * w) as u64)
            .sum::<u64>();
        let paths = self.files.into_iter().map(|(path, _)| path);
        if bytes > config.memory {
            tracing::info!(
                images = paths.len(),
                mib = bytes >> 20,
                "images are decoded batch by batch: they do not fit into data.memory_mib"
            );
            return Ok(Pixels::Files(paths.collect()));
        }
        let paths: Vec<_> = paths.collect();
        if config.image_size.is_some() {
            let pictures: Result<_, _> = paths.par_iter().map(|p| Picture::read(p)).collect();
            return Ok(Pixels::Pictures(pictures?));
        }
        let of_one = 3 * fit.size[0] * fit.size[1];
        let mut planes = vec![0; paths.len() * of_one];
        planes
            .par_chunks_exact_mut(of_one)
            .zip(&paths)
            .try_for_each(|(image, path)| {
                let decoded = fit.read(path)?;
                // A file that changed since its header was read may have another size.
                if decoded.len() != image.len() {
                    return Err(DataError::image(path, "its size has changed".to_owned()));
                }
                image.copy_from_slice(&decoded);
                Ok(())
            })?;
        Ok(Pixels::Planes(planes))
    }
}
