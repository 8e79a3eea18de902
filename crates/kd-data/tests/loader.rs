//! Batches: their order, their contents, their threads and their devices.

mod support;

use std::{sync::Arc, time::Duration};

use burn::tensor::Device;
use kd_data::{Augmentation, Batch, DataError, Loader, LoaderConfig, Normalization, View};
use support::{assert_near, devices, naive, set, values};

/// All that is to be known of a batch on the host.
fn host(batch: Batch) -> (Vec<f32>, Vec<i64>, Vec<usize>, Vec<u16>) {
    let labels = batch.labels.into_data().iter::<i64>().collect();
    (
        values(batch.images),
        labels,
        batch.host_indices,
        batch.views,
    )
}

#[test]
fn workers_change_nothing() {
    let device = Device::default();
    let images = Arc::new(set(23, [4, 4]));
    let epoch = |workers| -> Vec<_> {
        let config = LoaderConfig {
            workers,
            ..LoaderConfig::train(3, 9)
        };
        let loader = Loader::new(images.clone(), config).expect("valid");
        loader.epoch(4, &device).map(host).collect()
    };
    let expected = epoch(0);
    assert_eq!(expected.len(), 8);
    // More workers than batches, too.
    for workers in [1, 2, 3, 20] {
        assert_eq!(epoch(workers), expected, "{workers} workers");
    }
}

#[test]
fn a_batch_shows_the_images_it_names_in_the_views_it_names() {
    let images = set(10, [4, 6]);
    let loader = Loader::new(images.clone(), LoaderConfig::train(4, 1)).expect("valid");
    for device in devices() {
        let mut seen = Vec::new();
        for batch in loader.epoch(0, &device) {
            assert_eq!(batch.images.dims(), [batch.len(), 3, 4, 6]);
            let (pixels, labels, indices, views) = host(batch);
            for (k, &index) in indices.iter().enumerate() {
                let View { dy, dx, flip } = Augmentation::CIFAR.view(views[k].into());
                let stats = Normalization::CIFAR100;
                let image = naive(
                    &images.image(index).expect("bytes"),
                    [4, 6],
                    4,
                    (dy, dx, flip),
                    &stats,
                );
                assert_near(&pixels[k * 72..(k + 1) * 72], &image, 1e-6);
                assert_eq!(labels[k] as usize, images.label(index));
            }
            seen.extend(indices);
        }
        assert_ne!(seen, (0..10).collect::<Vec<_>>(), "not shuffled");
        seen.sort();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }
}

#[test]
fn the_last_batch_is_short_or_dropped() {
    let device = Device::default();
    let sizes = |drop_last| -> (usize, Vec<usize>) {
        let config = LoaderConfig {
            drop_last,
            ..LoaderConfig::evaluate(4)
        };
        let loader = Loader::new(set(10, [2, 2]), config).expect("valid");
        let epoch = loader.epoch(0, &device);
        assert_eq!(epoch.len(), loader.batches());
        let sizes = epoch.map(|b| b.images.dims()[0]).collect();
        (loader.batches(), sizes)
    };
    assert_eq!(sizes(false), (3, vec![4, 4, 2]));
    assert_eq!(sizes(true), (2, vec![4, 4]));
}

#[test]
fn threads_end_with_the_iterator() {
    let images = Arc::new(set(200, [2, 2]));
    let config = LoaderConfig {
        workers: 3,
        ..LoaderConfig::train(2, 0)
    };
    let loader = Loader::new(images.clone(), config).expect("valid");
    // In a thread of its own, so that threads that do not end fail the test instead of halting it.
    let (done, waiting) = std::sync::mpsc::channel();
    let early = loader.clone();
    std::thread::spawn(move || {
        let device = Device::default();
        let mut epoch = early.epoch(0, &device);
        assert!(epoch.next().is_some());
        drop(epoch);
        drop(early.epoch(1, &device));
        assert_eq!(early.epoch(2, &device).count(), 100);
        drop(early);
        done.send(()).expect("the test is there");
    });
    waiting
        .recv_timeout(Duration::from_secs(60))
        .expect("an early drop must not wait for ever");
    drop(loader);
    assert_eq!(Arc::strong_count(&images), 1, "a thread still runs");
}

#[test]
fn tensors_belong_to_the_device_as_it_is_given() {
    let loader = Loader::new(set(2, [4, 4]), LoaderConfig::train(2, 0)).expect("valid");
    for device in devices() {
        for device in [device.clone(), device.autodiff()] {
            let batch = loader.epoch(0, &device).next().expect("one batch");
            assert_eq!(batch.images.device(), device);
            assert_eq!(batch.images.is_autodiff(), device.is_autodiff());
            assert!(!batch.images.is_require_grad());
            assert_eq!(batch.labels.device(), device);
            // An operation with a tensor of the same device, as a network would do it.
            let sum = (batch.images * batch.labels.float().reshape([2, 1, 1, 1])).sum();
            assert!(values(sum)[0].is_finite());
        }
    }
}

#[test]
fn what_cannot_be_loaded_is_refused() {
    let error = |n, config| Loader::new(set(n, [2, 2]), config).expect_err("must be refused");
    assert!(matches!(
        error(0, LoaderConfig::evaluate(1)),
        DataError::EmptySet
    ));
    assert_eq!(
        error(2, LoaderConfig::evaluate(0)).to_string(),
        "LoaderConfig: batch_size is 0; expected at least 1"
    );
    let dropped = LoaderConfig {
        drop_last: true,
        ..LoaderConfig::evaluate(3)
    };
    assert_eq!(
        error(2, dropped).to_string(),
        "LoaderConfig: batch_size is 3; expected at most 2, the number of images, \
         as the last batch is dropped"
    );
    let padded = LoaderConfig {
        augmentation: Augmentation::crop_flip(1000),
        ..LoaderConfig::evaluate(1)
    };
    assert!(error(2, padded).to_string().contains("pad is 1000"));
}

#[test]
fn a_partial_configuration_is_completed_and_a_wrong_one_refused() {
    let read: LoaderConfig = serde_json::from_str(
        r#"{"batch_size": 8, "shuffle": true, "augmentation": {"kind": "crop_flip", "pad": 4}}"#,
    )
    .expect("a valid configuration");
    assert_eq!(read, LoaderConfig::train(8, 0));
    assert!(serde_json::from_str::<LoaderConfig>(r#"{"batchsize": 8}"#).is_err());
}
