//! A part of the training images to tune on.

use super::{ImageSet, Splits};
use crate::DataError;
use crate::stream::{Purpose, Stream};

impl Splits {
    /// Keeps a share of the training images back, which take the place of the test images: the same
    /// share of every class, rounded, chosen by `seed`. So nobody tunes on test images.
    ///
    /// # Errors
    ///
    /// [`DataError::Invalid`] if the share is not in (0, 1), or if it is nothing or all of the
    /// images.
    pub fn dev_split(self, share: f64, seed: u64) -> Result<Self, DataError> {
        let invalid = |expected: &str| DataError::invalid("Splits", "share", share, expected);
        if !(share > 0.0 && share < 1.0) {
            return Err(invalid("a fraction between 0 and 1"));
        }
        let mut is_dev = vec![false; self.train.len()];
        for (class, mut images) in by_class(&self.train).into_iter().enumerate() {
            let count = (images.len() as f64 * share).round() as usize;
            let mut stream = Stream::new(seed, Purpose::DevSplit, class as u64, 0);
            stream.shuffle(&mut images);
            images[..count]
                .iter()
                .for_each(|image| is_dev[*image] = true);
        }
        let part = |dev: bool| (0..is_dev.len()).filter(|i| is_dev[*i] == dev).collect();
        let (dev, train): (Vec<usize>, Vec<usize>) = (part(true), part(false));
        if dev.is_empty() || train.is_empty() {
            return Err(invalid(
                "a fraction that leaves images for both training and evaluation",
            ));
        }
        Ok(Self {
            test: self.train.clone().select(&dev),
            train: self.train.select(&train),
        })
    }
}

/// The images of every class.
fn by_class(set: &ImageSet) -> Vec<Vec<usize>> {
    let mut images = vec![Vec::new(); set.classes()];
    for image in 0..set.len() {
        images[set.label(image)].push(image);
    }
    images
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Normalization;

    /// 10 images of class 0 and 30 of class 1, each of one color.
    fn splits() -> Splits {
        let labels: Vec<u32> = (0..40).map(|i| u32::from(i >= 10)).collect();
        let pixels = (0..40).flat_map(|i| [i; 3]).collect();
        let set = ImageSet::new(pixels, labels, [1, 1], 2, Normalization::CIFAR10).expect("valid");
        Splits {
            train: set.clone(),
            test: set.limit(1),
        }
    }

    fn colors(set: &ImageSet) -> Vec<u8> {
        (0..set.len())
            .map(|i| set.image(i).expect("bytes")[0])
            .collect()
    }

    #[test]
    fn each_class_gives_its_share_and_no_image_is_in_both() {
        let split = splits().dev_split(0.1, 7).expect("a split");
        let count =
            |set: &ImageSet, label| (0..set.len()).filter(|i| set.label(*i) == label).count();
        assert_eq!([0, 1].map(|label| count(&split.test, label)), [1, 3]);
        assert_eq!([0, 1].map(|label| count(&split.train, label)), [9, 27]);
        let mut all = [colors(&split.train), colors(&split.test)].concat();
        all.sort_unstable();
        assert_eq!(all, (0..40).collect::<Vec<u8>>());
    }

    #[test]
    fn the_seed_chooses() {
        let dev = |seed| colors(&splits().dev_split(0.2, seed).expect("a split").test);
        assert_eq!(dev(1), dev(1));
        assert_ne!(dev(1), dev(2));
    }

    #[test]
    fn shares_that_leave_nothing_are_refused() {
        for share in [0.0, 1.0, f64::NAN, -0.1, 0.001, 0.999] {
            assert!(splits().dev_split(share, 0).is_err(), "{share}");
        }
    }
}
