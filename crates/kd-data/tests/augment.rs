//! Augmentation on the device against the same thing pixel by pixel.

mod support;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use kd_data::{Augmentation, Normalization, View};
use support::{assert_near, bytes, devices, naive, values};

/// Uploads pixels as integers of a given type.
fn upload(pixels: &[u8], shape: [usize; 4], dtype: DType, device: &Device) -> Tensor<4, Int> {
    Tensor::from_data(TensorData::new(pixels.to_vec(), shape), (device, dtype))
}

#[test]
fn every_view_equals_the_naive_one() {
    // Height and width differ, so that an exchange of the two would be seen.
    let (size, pad, normalization) = ([3, 5], 2, Normalization::CIFAR100);
    let augmentation = Augmentation::crop_flip(pad);
    let count = augmentation.views().expect("a number");
    assert_eq!(count, 50);
    let image_bytes = 3 * size[0] * size[1];
    let pixels = bytes(count * image_bytes);
    let numbers: Vec<u16> = (0..count as u16).collect();

    let mut expected = Vec::new();
    for (number, image) in pixels.chunks(image_bytes).enumerate() {
        let View { dy, dx, flip } = augmentation.view(number);
        assert_eq!(augmentation.view_index(View { dy, dx, flip }), number);
        expected.extend(naive(image, size, pad, (dy, dx, flip), &normalization));
    }
    for device in devices() {
        for dtype in [DType::U8, DType::I32] {
            let batch = upload(&pixels, [count, 3, size[0], size[1]], dtype, &device);
            let found = augmentation
                .apply(batch, &numbers, &normalization)
                .expect("valid");
            assert_eq!(found.dims(), [count, 3, size[0], size[1]]);
            assert_near(&values(found), &expected, 1e-6);
        }
    }
}

#[test]
fn the_standard_of_cifar_pads_with_4_black_pixels() {
    let (size, normalization) = ([32, 32], Normalization::CIFAR10);
    let pixels = bytes(3 * 3072);
    let chosen = [(0, 8, true), (4, 4, false), (8, 3, true)];
    let numbers =
        chosen.map(|(dy, dx, flip)| Augmentation::CIFAR.view_index(View { dy, dx, flip }) as u16);
    assert_eq!(Augmentation::CIFAR.views(), Some(162));

    let images = pixels.chunks(3072).zip(chosen);
    let expected: Vec<_> = images
        .flat_map(|(image, view)| naive(image, size, 4, view, &normalization))
        .collect();
    // The first view shows 4 rows above the image: black, which is not 0 after normalization.
    assert!((expected[0] - -0.4914 / 0.2023).abs() < 1e-6);
    for device in devices() {
        let batch = upload(&pixels, [3, 3, 32, 32], DType::U8, &device);
        let found = Augmentation::CIFAR.apply(batch, &numbers, &normalization);
        assert_near(&values(found.expect("valid")), &expected, 1e-6);
    }
}

#[test]
fn without_augmentation_images_are_only_normalized() {
    let (size, normalization) = ([2, 3], Normalization::CIFAR100);
    // All byte values that matter: the ends, and some between.
    let mut pixels = bytes(36);
    (pixels[0], pixels[35]) = (0, 255);
    let expected: Vec<_> = pixels
        .chunks(18)
        .flat_map(|image| naive(image, size, 0, (0, 0, false), &normalization))
        .collect();
    for device in devices() {
        let batch = upload(&pixels, [2, 3, 2, 3], DType::U8, &device);
        let found = Augmentation::None.apply(batch, &[0, 0], &normalization);
        assert_near(&values(found.expect("valid")), &expected, 1e-6);
    }
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let device = Device::default();
    let message = |augmentation: Augmentation, channels, views: &[u16], normalization| {
        let pixels = bytes(2 * channels * 4);
        let batch = upload(&pixels, [2, channels, 2, 2], DType::I32, &device);
        let result = augmentation.apply(batch, views, &normalization);
        result.expect_err("must be refused").to_string()
    };
    let (cifar, stats) = (Augmentation::CIFAR, Normalization::CIFAR10);
    assert_eq!(
        message(cifar, 3, &[1], stats),
        "Augmentation: views is 1 views; expected 2, one an image"
    );
    assert_eq!(
        message(cifar, 3, &[161, 162], stats),
        "Augmentation: views is 162; expected numbers below 162"
    );
    assert_eq!(
        message(Augmentation::None, 1, &[0, 0], stats),
        "Augmentation: pixels is [2, 1, 2, 2]; expected [N, 3, H, W]"
    );
    assert_eq!(
        message(Augmentation::crop_flip(91), 3, &[0, 0], stats),
        "Augmentation: pad is 91; expected at most 90 pixels"
    );
    let flat = Normalization {
        std: [0.0; 3],
        ..stats
    };
    assert!(message(cifar, 3, &[0, 0], flat).starts_with("Normalization: std is"));
}

#[test]
fn configuration_survives_a_round_trip() {
    for (augmentation, json) in [
        (Augmentation::None, r#"{"kind":"none"}"#),
        (
            Augmentation::CIFAR,
            r#"{"kind":"crop_flip","pad":4,"padding":"zero"}"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&augmentation).expect("json"), json);
        let read: Augmentation = serde_json::from_str(json).expect("the same");
        assert_eq!(read, augmentation);
    }
    assert!(serde_json::from_str::<Augmentation>(r#"{"kind":"crop_flip","pda":4}"#).is_err());
}
