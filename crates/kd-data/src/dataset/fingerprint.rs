//! What images are, as one number.

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::{ImageSet, Pixels};
use crate::DataError;

/// Images whose sum is taken by one thread at a time.
const CHUNK: usize = 256;

impl ImageSet {
    /// A SHA-256 sum of the images in hexadecimal: their number, size, labels and pixels, in order.
    /// It does not depend on where the files are.
    ///
    /// Of images that are decoded when they are wanted, names and sizes of the files stand for the
    /// pixels: to decode all of them takes as long as an epoch.
    ///
    /// # Errors
    ///
    /// [`DataError::Read`] if a file's size cannot be seen.
    pub fn fingerprint(&self) -> Result<String, DataError> {
        let rows: Vec<usize> = (0..self.len()).map(|image| self.row(image)).collect();
        let parts = rows.par_chunks(CHUNK).map(|rows| self.sum_of(rows));
        let parts = parts.collect::<Result<Vec<_>, DataError>>()?;
        let mut sum = Sha256::new();
        for number in [self.len(), self.classes, self.height(), self.width()] {
            sum.update((number as u64).to_le_bytes());
        }
        self.labels
            .iter()
            .for_each(|label| sum.update(label.to_le_bytes()));
        parts.iter().for_each(|part| sum.update(part));
        Ok(sum
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect())
    }

    /// The sum of the images in some rows.
    fn sum_of(&self, rows: &[usize]) -> Result<[u8; 32], DataError> {
        let mut sum = Sha256::new();
        for row in rows {
            match &*self.pixels {
                Pixels::Planes(_) => sum.update(self.pixels.image(*row, self.fit)?),
                Pixels::Pictures(pictures) => {
                    let picture = &pictures[*row];
                    sum.update(format!("{} {}", picture.height, picture.width));
                    sum.update(&picture.rgb);
                }
                Pixels::Files(paths) => {
                    let path = &paths[*row];
                    let size = path.metadata().map_err(DataError::read(path))?.len();
                    sum.update(format!("{:?} {size}", path.file_name()));
                }
            }
        }
        Ok(sum.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use crate::{ImageSet, Normalization};

    fn set(pixels: Vec<u8>, labels: &[u32]) -> ImageSet {
        let normalization = Normalization::CIFAR10;
        ImageSet::new(pixels, labels.to_vec(), [2, 2], 3, normalization).expect("valid")
    }

    #[test]
    fn it_is_of_pixels_labels_and_order() {
        let pixels: Vec<u8> = (0..24).collect();
        let sum = |set: &ImageSet| set.fingerprint().expect("a sum");
        let one = set(pixels.clone(), &[0, 1]);
        assert_eq!(sum(&one), sum(&set(pixels.clone(), &[0, 1])));
        assert_eq!(sum(&one).len(), 64);
        let mut other = pixels.clone();
        other[23] ^= 1;
        let mut turned = pixels[12..].to_vec();
        turned.extend(&pixels[..12]);
        let others = [
            set(other, &[0, 1]),
            set(pixels.clone(), &[0, 2]),
            set(turned, &[0, 1]),
            one.clone().limit(1),
        ];
        for other in &others {
            assert_ne!(sum(&one), sum(other));
        }
        // Parts of a set are told by what they hold.
        assert_eq!(sum(&one.limit(1)), sum(&set(pixels[..12].to_vec(), &[0])));
    }
}
