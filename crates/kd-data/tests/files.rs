//! Folders of images: what is held, what is streamed, and what is drawn for them.

mod support;

use std::fs::{self, File};
use std::path::Path;

use burn::tensor::Device;
use kd_data::{Augmentation, ImageFiles, ImageSet, Loader, LoaderConfig, Splits};
use support::{bytes, values};
use tempfile::TempDir;

/// Writes a PNG of random pixels.
fn image(path: &Path, [height, width]: [usize; 2], color: png::ColorType) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let file = File::create(path).expect("a file");
    let mut encoder = png::Encoder::new(file, width as u32, height as u32);
    encoder.set_color(color);
    let mut writer = encoder.write_header().expect("a header");
    let pixels = bytes(height * width * color.samples());
    writer.write_image_data(&pixels).expect("pixels");
}

/// Two classes of 6 and 2 training images and 2 test images of a size.
fn folder(size: [usize; 2]) -> TempDir {
    let root = tempfile::tempdir().expect("a folder");
    let rgb = png::ColorType::Rgb;
    for (part, class, count) in [
        ("train", "cat", 6),
        ("train", "dog", 2),
        ("val", "cat", 1),
        ("val", "dog", 1),
    ] {
        for number in 0..count {
            let path = root.path().join(format!("{part}/{class}/{number}.png"));
            image(&path, size, rgb);
        }
    }
    root
}

fn read(root: &TempDir, files: &ImageFiles) -> Splits {
    let splits = files.read_folder(root.path(), None);
    splits.unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(root: &TempDir, files: &ImageFiles) -> String {
    let error = files.read_folder(root.path(), None).expect_err("refused");
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    error.to_string()
}

/// All images of some epochs, augmented, with their indices.
fn epochs(set: &ImageSet, augmentation: Augmentation, workers: usize) -> Vec<(usize, Vec<f32>)> {
    let config = LoaderConfig {
        augmentation,
        workers,
        ..LoaderConfig::train(3, 5)
    };
    let loader = Loader::new(set.clone(), config).expect("a loader");
    let mut all = Vec::new();
    for epoch in 0..2 {
        for batch in loader.epoch(epoch, &Device::default()) {
            let of_one = batch.images.dims()[1..].iter().product();
            let images = values(batch.images);
            let images = images.chunks(of_one).map(<[f32]>::to_vec);
            all.extend(batch.host_indices.into_iter().zip(images));
        }
    }
    all
}

#[test]
fn classes_are_folders_and_may_be_unequal() {
    let root = folder([4, 6]);
    // What is no image, hidden, or in a subfolder.
    fs::write(root.path().join("train/cat/notes.txt"), "no image").expect("a file");
    fs::write(root.path().join("train/.hidden"), "no class").expect("a file");
    image(
        &root.path().join("train/dog/more/a.PNG"),
        [4, 6],
        png::ColorType::Rgb,
    );
    let splits = read(&root, &ImageFiles::default());
    let labels: Vec<_> = (0..9).map(|i| splits.train.label(i)).collect();
    assert_eq!(labels, [0, 0, 0, 0, 0, 0, 1, 1, 1]);
    assert_eq!((splits.train.height(), splits.train.width()), (4, 6));
    assert_eq!(
        splits.test.class_names(),
        Some(&["cat".to_owned(), "dog".to_owned()][..])
    );
    assert_eq!(splits.train.len(), 9);
}

#[test]
fn other_kinds_of_colors_become_rgb() {
    use png::ColorType::{Grayscale, GrayscaleAlpha, Rgb, Rgba};
    for color in [Grayscale, GrayscaleAlpha, Rgb, Rgba] {
        let root = folder([2, 2]);
        image(&root.path().join("train/cat/0.png"), [2, 2], color);
        let set = read(&root, &ImageFiles::default()).train;
        let found = set.image(0).expect("decoded").into_owned();
        let samples = color.samples();
        let stored = bytes(4 * samples);
        let channel = |c: usize| if samples < 3 { 0 } else { c };
        let expected: Vec<u8> = (0..12)
            .map(|i| stored[(i % 4) * samples + channel(i / 4)])
            .collect();
        assert_eq!(found, expected, "{color:?}");
    }
}

#[test]
fn where_the_images_are_changes_nothing() {
    let root = folder([20, 30]);
    let held = ImageFiles {
        image_size: Some(16),
        ..ImageFiles::default()
    };
    let streamed = ImageFiles {
        memory: 0,
        ..held.clone()
    };
    let (held, streamed) = (read(&root, &held).train, read(&root, &streamed).train);
    assert!(streamed.is_streamed() && !held.is_streamed());
    for augmentation in [Augmentation::RESIZED_CROP, Augmentation::CIFAR] {
        let expected = epochs(&held, augmentation, 0);
        assert_eq!(expected.len(), 16);
        for workers in [0, 2] {
            assert_eq!(epochs(&streamed, augmentation, workers), expected);
        }
    }
}

#[test]
fn resized_crops_are_of_the_size_and_differ_by_epoch() {
    let root = folder([20, 30]);
    let files = ImageFiles {
        image_size: Some(8),
        ..ImageFiles::default()
    };
    let mut seen = epochs(&read(&root, &files).train, Augmentation::RESIZED_CROP, 1);
    assert!(seen.iter().all(|(_, image)| image.len() == 3 * 8 * 8));
    seen.sort_by_key(|(index, _)| *index);
    for pair in seen.chunks(2) {
        assert_eq!(pair[0].0, pair[1].0);
        assert_ne!(pair[0].1, pair[1].1, "the same crop in both epochs");
    }
}

#[test]
fn images_that_have_the_size_are_left_as_they_are() {
    let root = folder([8, 8]);
    let plain = read(&root, &ImageFiles::default());
    let files = ImageFiles {
        image_size: Some(8),
        middle: 1.0,
        ..ImageFiles::default()
    };
    assert!(read(&root, &files).train == plain.train);
    // The whole image as the only crop is the image, or its mirror image.
    let whole = Augmentation::RandomResizedCrop {
        scale: [1.0, 1.0],
        ratio: [1.0, 1.0],
    };
    let cropped = epochs(&plain.train, whole, 0);
    let flipped = epochs(&plain.train, Augmentation::None, 0);
    for ((index, image), (other, original)) in cropped.iter().zip(&flipped) {
        assert_eq!(index, other);
        let mirrored: Vec<f32> = original
            .chunks(8)
            .flat_map(|row| row.iter().rev().copied())
            .collect();
        assert!(image == original || *image == mirrored, "{index}");
    }
}

#[test]
fn a_file_that_is_damaged_later_ends_the_epoch_with_its_name() {
    let root = folder([4, 4]);
    let files = ImageFiles {
        memory: 0,
        ..ImageFiles::default()
    };
    let set = read(&root, &files).train;
    fs::write(root.path().join("train/dog/1.png"), "damaged").expect("a file");
    for workers in [0, 1, 2] {
        let config = LoaderConfig {
            workers,
            ..LoaderConfig::evaluate(3)
        };
        let loader = Loader::new(set.clone(), config).expect("a loader");
        let mut epoch = loader.epoch(0, &Device::default());
        assert_eq!(epoch.by_ref().count(), 2, "the batches before");
        let message = epoch.finish().expect_err("damaged").to_string();
        assert!(message.contains("1.png: neither JPEG nor PNG"), "{message}");
    }
}

#[test]
fn what_is_missing_or_of_another_size_is_named() {
    let files = ImageFiles::default();
    let root = folder([4, 4]);
    image(
        &root.path().join("val/dog/9.png"),
        [4, 5],
        png::ColorType::Rgb,
    );
    let message = refusal(&root, &files);
    assert!(
        message.contains("9.png is 5x4, but") && message.contains("is 4x4"),
        "{message}"
    );

    let root = folder([4, 4]);
    image(
        &root.path().join("val/fox/0.png"),
        [4, 4],
        png::ColorType::Rgb,
    );
    assert!(refusal(&root, &files).contains("val/fox: no class of this name in"));

    let root = folder([4, 4]);
    fs::create_dir(root.path().join("train/ant")).expect("a folder");
    assert!(refusal(&root, &files).contains("train/ant: it contains no images"));

    let root = folder([4, 4]);
    fs::remove_dir_all(root.path().join("val")).expect("removed");
    assert!(refusal(&root, &files).contains("val: no such directory"));

    let empty = tempfile::tempdir().expect("a folder");
    assert!(refusal(&empty, &files).contains("train: no such directory"));
    let missing = files.read_folder(empty.path().join("nowhere"), None);
    assert!(
        missing
            .expect_err("refused")
            .to_string()
            .contains("does not exist")
    );
}
