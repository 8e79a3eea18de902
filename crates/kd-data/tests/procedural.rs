//! The data set that is drawn.

use std::ops::Range;

use kd_data::{Difficulty, ImageSet, ProceduralConfig};

fn small() -> ProceduralConfig {
    ProceduralConfig {
        train: 40,
        test: 20,
        ..ProceduralConfig::default()
    }
}

/// The bytes of an image.
fn image(set: &ImageSet, i: usize) -> Vec<u8> {
    set.image(i).expect("in memory").into_owned()
}

fn train(config: ProceduralConfig) -> ImageSet {
    config.generate().expect("a valid configuration").train
}

#[test]
fn sizes_labels_and_names_are_as_configured() {
    let splits = small().generate().expect("valid");
    assert_eq!((splits.train.len(), splits.test.len()), (40, 20));
    for set in [&splits.train, &splits.test] {
        assert_eq!((set.classes(), set.height(), set.width()), (10, 32, 32));
        assert!((0..set.len()).all(|i| set.label(i) == i % 10));
        let names = set.class_names().expect("names");
        assert_eq!(names[6], "square, vertical stripes");
    }
    let large = train(ProceduralConfig {
        classes: 100,
        size: 64,
        ..small()
    });
    assert_eq!((large.classes(), large.height()), (100, 64));
    assert_eq!(image(&large, 39).len(), 3 * 64 * 64);
}

#[test]
fn a_shorter_set_is_the_beginning_of_a_longer_one() {
    let long = train(small());
    let short = train(ProceduralConfig {
        train: 7,
        test: 1,
        ..small()
    });
    assert_eq!(long.clone().limit(7), short);
    assert_ne!(image(&long, 0), image(&long, 10), "same class, same image");
}

#[test]
fn seed_and_split_make_other_images() {
    let splits = small().generate().expect("valid");
    let other = train(ProceduralConfig { seed: 1, ..small() });
    for i in 0..20 {
        assert_ne!(image(&splits.train, i), image(&splits.test, i));
        assert_ne!(image(&splits.train, i), image(&other, i));
    }
}

#[test]
fn bytes_are_the_same_on_every_machine() {
    // All fields are given, so that only a change of the drawing itself is seen here. Whoever
    // changes it on purpose must know that all results on the set change with it.
    let set = train(ProceduralConfig {
        classes: 100,
        size: 32,
        train: 100,
        test: 1,
        seed: 7,
        difficulty: Difficulty {
            noise: 0.05,
            clutter: 2,
            jitter: 0.5,
            ground: 0.5,
            interference: 0.5,
            contrast: 0.2,
            occlusion: 0.5,
            ambiguous: 0.2,
        },
    });
    let images = (0..set.len()).flat_map(|i| image(&set, i));
    let hash = images.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    assert_eq!(hash, 0xfbd3_1f08_4442_fbc7, "{hash:#018x}");
}

#[test]
fn normalized_images_have_mean_0_and_deviation_1() {
    let set = train(ProceduralConfig {
        train: 1000,
        ..small()
    });
    let stats = set.normalization();
    for c in 0..3 {
        let plane = |i| image(&set, i)[c * 1024..(c + 1) * 1024].to_vec();
        let planes = (0..set.len()).flat_map(plane);
        let values = planes.map(|b| (f64::from(b) / 255.0, set.len() as f64 * 1024.0));
        let (sum, squares) = values.fold((0.0, 0.0), |(s, q), (v, n)| (s + v / n, q + v * v / n));
        let std = (squares - sum * sum).sqrt();
        assert!((sum - f64::from(stats.mean[c])).abs() < 0.02, "{c}: {sum}");
        assert!((std - f64::from(stats.std[c])).abs() < 0.02, "{c}: {std}");
    }
}

/// Share of the images in whose `part` of the rows and columns the edges tell which of the two
/// textures of ten classes it is: horizontal (0..5) or vertical stripes (5..10).
fn told_by_edges(set: &ImageSet, part: Range<usize>) -> f32 {
    let told = (0..set.len()).filter(|&n| {
        let pixels = image(set, n);
        let at = |i: usize, j: usize| pixels[1024 + 32 * i + j];
        let (mut right, mut down) = (0, 0);
        for i in part.clone() {
            for j in part.clone() {
                // Two pixels apart: a good part of a wave, and less noise than next to each other.
                right += u32::from(at(i, j).abs_diff(at(i, j + 2)));
                down += u32::from(at(i, j).abs_diff(at(i + 2, j)));
            }
        }
        (right > down) == (set.label(n) >= 5)
    });
    told.count() as f32 / set.len() as f32
}

#[test]
fn the_texture_shows_on_the_figure_more_than_on_the_whole_image() {
    // With a textured ground: without one, the texture shows wherever one looks.
    let set = train(ProceduralConfig {
        train: 500,
        difficulty: Difficulty {
            noise: 0.08,
            clutter: 3,
            jitter: 0.5,
            ground: 0.7,
            interference: 0.8,
            contrast: 0.2,
            occlusion: 0.3,
            ambiguous: 0.1,
        },
        ..small()
    });
    let (middle, all) = (told_by_edges(&set, 8..24), told_by_edges(&set, 0..30));
    assert!(middle > 0.8, "{middle}");
    assert!(all < middle - 0.05, "{all} {middle}");
}

#[test]
fn colors_do_not_tell_the_class() {
    // The mean of each class over many images is the mean of all, within 4 standard errors: the
    // mean colors of images have a deviation of about 0.17.
    let set = train(ProceduralConfig {
        train: 1500,
        ..small()
    });
    for label in 0..10 {
        let images = (0..set.len()).filter(|&i| set.label(i) == label);
        let sum: f64 = images
            .flat_map(|i| image(&set, i)[..1024].to_vec())
            .map(f64::from)
            .sum();
        let mean = sum / (150.0 * 1024.0 * 255.0);
        assert!((mean - 0.5).abs() < 0.06, "class {label}: {mean}");
    }
}

#[test]
fn fields_out_of_range_are_refused_by_name() {
    let message = |config: ProceduralConfig| {
        let error = config.generate().expect_err("must be refused");
        error.to_string()
    };
    type Change = fn(&mut ProceduralConfig);
    let changes: [(Change, &str); 9] = [
        (|c| c.classes = 1, "ProceduralConfig: classes is 1"),
        (|c| c.classes = 101, "ProceduralConfig: classes is 101"),
        (|c| c.size = 33, "ProceduralConfig: size is 33"),
        (|c| c.train = 0, "ProceduralConfig: train is 0"),
        (|c| c.test = 0, "ProceduralConfig: test is 0"),
        (|c| c.difficulty.noise = -0.1, "Difficulty: noise is -0.1"),
        (
            |c| c.difficulty.jitter = f32::NAN,
            "Difficulty: jitter is NaN",
        ),
        (|c| c.difficulty.clutter = 17, "Difficulty: clutter is 17"),
        (
            |c| c.difficulty.ambiguous = 1.5,
            "Difficulty: ambiguous is 1.5",
        ),
    ];
    for (change, expected) in changes {
        let mut config = small();
        change(&mut config);
        let found = message(config);
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn extremes_of_all_fields_can_be_drawn() {
    for (classes, size) in [(2, 32), (100, 64)] {
        for (share, clutter) in [(0.0, 0), (1.0, 16)] {
            let difficulty = Difficulty {
                noise: share,
                clutter,
                jitter: share,
                ground: 2.0 * share,
                interference: 2.0 * share,
                contrast: 0.4 * share,
                occlusion: share,
                ambiguous: share,
            };
            let set = train(ProceduralConfig {
                classes,
                size,
                train: 100,
                test: 1,
                seed: u64::MAX,
                difficulty,
            });
            assert_eq!(set.len(), 100);
        }
    }
}

#[test]
fn configuration_has_defaults_and_survives_a_round_trip() {
    let partial = r#"{"classes": 20, "difficulty": {"noise": 0.25}}"#;
    let read: ProceduralConfig = serde_json::from_str(partial).expect("valid");
    let default = ProceduralConfig::default();
    assert_eq!((read.classes, read.size), (20, default.size));
    assert_eq!(read.train, default.train);
    assert_eq!(read.difficulty.noise, 0.25);
    assert_eq!(read.difficulty.clutter, Difficulty::default().clutter);
    let written = serde_json::to_string(&read).expect("json");
    assert_eq!(
        serde_json::from_str::<ProceduralConfig>(&written).expect("valid"),
        read
    );
    assert!(serde_json::from_str::<ProceduralConfig>(r#"{"noise": 1}"#).is_err());
}
