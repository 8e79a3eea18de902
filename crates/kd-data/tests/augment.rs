//! Augmentation on the device against the same thing pixel by pixel.

mod support;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use kd_data::{Augmentation, Normalization, Padding, View};
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
fn a_flip_alone_has_two_views() {
    let (size, normalization) = ([2, 3], Normalization::CIFAR10);
    let pixels = bytes(36);
    assert_eq!(Augmentation::Flip.views(), Some(2));
    let images = pixels.chunks(18).zip([true, false]);
    let expected: Vec<_> = images
        .flat_map(|(image, flip)| naive(image, size, 0, (0, 0, flip), &normalization))
        .collect();
    for device in devices() {
        let batch = upload(&pixels, [2, 3, 2, 3], DType::U8, &device);
        let found = Augmentation::Flip.apply(batch, &[1, 0], &normalization);
        assert_near(&values(found.expect("valid")), &expected, 1e-6);
    }
}

#[test]
fn reflection_mirrors_at_the_outermost_pixels() {
    let augmentation = Augmentation::CropFlip {
        pad: 2,
        padding: Padding::Reflect,
    };
    let plain = Normalization {
        mean: [0.0; 3],
        std: [1.0; 3],
    };
    // Rows 0, 10, 20 and columns 0, 1, 2, in each channel.
    let plane = [0, 1, 2, 10, 11, 12, 20, 21, 22];
    let view = augmentation.view_index(View {
        dy: 0,
        dx: 4,
        flip: false,
    });
    // Rows 2, 1, 0 and columns 2, 1, 0 counted on from the last.
    let expected = [22, 21, 20, 12, 11, 10, 2, 1, 0].map(|v| v as f32 / 255.0);
    for device in devices() {
        let batch = upload(&plane.repeat(3), [1, 3, 3, 3], DType::U8, &device);
        let found = augmentation.apply(batch, &[view as u16], &plain);
        let found = values(found.expect("valid"));
        for channel in found.chunks(9) {
            assert_near(channel, &expected, 1e-6);
        }
    }
}

/// The pixel of an image rotated by `angle` around its center, or black.
fn rotated(image: &[u8], side: usize, angle: f64, flip: bool, [row, column]: [usize; 2]) -> f32 {
    let middle = side as f64 / 2.0;
    let column = if flip { side - 1 - column } else { column };
    let (y, x) = (row as f64 + 0.5 - middle, column as f64 + 0.5 - middle);
    let source_y = (x * angle.sin() + y * angle.cos() + middle).floor();
    let source_x = (x * angle.cos() - y * angle.sin() + middle).floor();
    let inside = |v: f64| (0.0..side as f64).contains(&v);
    match inside(source_y) && inside(source_x) {
        true => f32::from(image[source_y as usize * side + source_x as usize]) / 255.0,
        false => 0.0,
    }
}

#[test]
fn a_rotation_takes_the_nearest_pixel_and_black_outside() {
    const SIDE: usize = 9;
    let augmentation = Augmentation::RotateFlip { degrees: 30.0 };
    assert_eq!(augmentation.views(), None);
    let plain = Normalization {
        mean: [0.0; 3],
        std: [1.0; 3],
    };
    let pixels = bytes(3 * 3 * SIDE * SIDE);
    // The least and the greatest angle, and one between, with a flip.
    let views = [0_u16, 2 * 32_766, 2 * 20_001 + 1];
    for device in devices() {
        let batch = upload(&pixels, [3, 3, SIDE, SIDE], DType::U8, &device);
        let found = values(augmentation.apply(batch, &views, &plain).expect("valid"));
        for (number, plane) in found.chunks(SIDE * SIDE).enumerate() {
            let view = views[number / 3];
            let angle = (f64::from(view / 2) / 32_766.0 * 2.0 - 1.0) * 30f64.to_radians();
            let image = &pixels[number * SIDE * SIDE..(number + 1) * SIDE * SIDE];
            for (place, value) in plane.iter().enumerate() {
                let at = [place / SIDE, place % SIDE];
                let expected = rotated(image, SIDE, angle, view % 2 == 1, at);
                assert!((value - expected).abs() < 1e-6, "{number} {at:?}");
            }
        }
        assert!(found.iter().filter(|v| **v == 0.0).count() > 20, "corners");
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
        "Augmentation: views is 1 views; expected 2, one per image"
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
    let reflect = Augmentation::CropFlip {
        pad: 2,
        padding: Padding::Reflect,
    };
    assert_eq!(
        message(reflect, 3, &[0, 0], stats),
        "Augmentation: pad is 2; expected less than the sides [2, 2] to reflect"
    );
    assert_eq!(
        message(
            Augmentation::RotateFlip { degrees: 181.0 },
            3,
            &[0, 0],
            stats
        ),
        "Augmentation: degrees is 181; expected a number in (0, 180]"
    );
    let scaled = |scale, ratio| Augmentation::RandomResizedCrop { scale, ratio };
    for (wrong, part) in [
        (
            scaled([0.5, 0.1], [1.0, 1.0]),
            "Augmentation: scale is [0.5, 0.1]",
        ),
        (
            scaled([0.5, 1.5], [1.0, 1.0]),
            "Augmentation: scale is [0.5, 1.5]",
        ),
        (
            scaled([0.5, 1.0], [0.0, 1.0]),
            "Augmentation: ratio is [0.0, 1.0]",
        ),
        (
            Augmentation::RESIZED_CROP,
            "kind is random_resized_crop; expected one that is done on",
        ),
    ] {
        let found = message(wrong, 3, &[0, 0], stats);
        assert!(found.contains(part), "{found}");
    }
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
        (Augmentation::Flip, r#"{"kind":"flip"}"#),
        (
            Augmentation::RotateFlip { degrees: 15.0 },
            r#"{"kind":"rotate_flip","degrees":15.0}"#,
        ),
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
    let read = |json: &str| serde_json::from_str::<Augmentation>(json).expect("valid");
    // As it was written before there was a choice.
    assert_eq!(read(r#"{"kind":"crop_flip","pad":4}"#), Augmentation::CIFAR);
    let resized = read(r#"{"kind":"random_resized_crop"}"#);
    assert_eq!(resized, Augmentation::RESIZED_CROP);
}
