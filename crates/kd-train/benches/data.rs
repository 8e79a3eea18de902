//! What the images cost: images a second over the number of worker threads, memory, and the share of a
//! training step that is spent waiting for them.
//!
//! ```text
//! cargo bench --profile dev --features ndarray --bench data
//! ```
#![allow(clippy::print_stdout, missing_docs)]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use jpeg_encoder::{ColorType, Encoder};
use kd_data::{
    Augmentation, ImageFiles, ImageSet, Loader, LoaderConfig, Normalization, ProceduralConfig,
};
use kd_losses::Method;
use kd_models::Architecture;
use kd_train::{DataInfo, DistillTask, FrozenTeacher, TaskConfig, device_by_name};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const WORKERS: [usize; 3] = [0, 1, 2];

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Writes `count` JPEG files of `[height, width]` in ten classes, and some to evaluate.
fn write_folder(root: &Path, count: usize, [height, width]: [usize; 2]) -> Outcome<()> {
    let pixels = |number: usize| -> Vec<u8> {
        let noise = (0..height * width * 3)
            .map(|i| (i as u32 ^ number as u32).wrapping_mul(2_654_435_761) >> 27);
        noise
            .enumerate()
            .map(|(i, noise)| {
                // Broad waves with a little noise: about as large as photographs.
                let (pixel, channel) = (i / 3, i % 3);
                let (y, x) = ((pixel / width) as f32, (pixel % width) as f32);
                let wave =
                    ((x / 17.0 + number as f32).sin() + (y / 23.0 + channel as f32).cos()) * 50.0;
                (112.0 + wave + noise as f32) as u8
            })
            .collect()
    };
    for number in 0..count + 10 {
        let part = if number < count { "train" } else { "val" };
        let folder = root.join(part).join((number % 10).to_string());
        fs::create_dir_all(&folder)?;
        let encoder = Encoder::new_file(folder.join(format!("{number}.jpg")), 90)?;
        encoder.encode(&pixels(number), width as u16, height as u16, ColorType::Rgb)?;
    }
    Ok(())
}

/// Images a second of an epoch, each batch complete on the device, and the most MiB that were
/// allocated at a time beyond the set itself.
fn epoch(set: &ImageSet, config: &LoaderConfig, device: &Device) -> Outcome<(f64, f64)> {
    let loader = Loader::new(set.clone(), config.clone())?;
    MEMORY.reset_peak_usage();
    let before = f64::from(MEMORY.current_usage_as_mb());
    let started = Instant::now();
    let mut images = 0;
    let mut batches = loader.epoch(0, device);
    for batch in batches.by_ref() {
        images += batch.len();
        device.sync()?;
    }
    batches.finish()?;
    let seconds = started.elapsed().as_secs_f64();
    let most = f64::from(MEMORY.peak_usage_as_mb()) - before;
    Ok((images as f64 / seconds, most))
}

fn report(name: &str, set: &ImageSet, config: LoaderConfig, device: &Device) -> Outcome<()> {
    let mut line = format!("| {name} ");
    let mut most = 0.0_f64;
    for workers in WORKERS {
        let config = LoaderConfig {
            workers,
            ..config.clone()
        };
        // The median of three.
        let mut rates = Vec::new();
        for _ in 0..3 {
            let (rate, memory) = epoch(set, &config, device)?;
            rates.push(rate);
            most = most.max(memory);
        }
        rates.sort_by(f64::total_cmp);
        line += &format!("| {:.0} ", rates[1]);
    }
    println!("{line}| {most:.0} |");
    Ok(())
}

/// Milliseconds of a step that are spent waiting for its batch, and in all.
fn waiting(
    networks: [&str; 2],
    set: &ImageSet,
    config: LoaderConfig,
    device: &str,
) -> Outcome<[f64; 2]> {
    let plain = device_by_name(device)?;
    let training = plain.clone().autodiff();
    let [student, teacher] = networks.map(Architecture::by_name);
    let teacher = FrozenTeacher::new("teacher", &teacher?.init(set.classes(), &plain));
    let student = student?.init(set.classes(), &training);
    let loader = Loader::new(set.clone(), config)?;
    let config = TaskConfig::<Method>::new()
        .with_term(Method::by_name("ce")?, 0.1)
        .with_term(Method::by_name("kd")?, 0.9);
    let mut task: DistillTask<_, _, _> =
        config.init(student, Some(teacher), &DataInfo::of(&loader), &training)?;
    let mut batches = loader.epoch(0, &training);
    let (mut wait, mut all, mut steps) = (Duration::ZERO, Duration::ZERO, 0);
    loop {
        let started = Instant::now();
        let Some(batch) = batches.next() else { break };
        plain.sync()?;
        let arrived = started.elapsed();
        (task, _) = task.step(&batch);
        plain.sync()?;
        // The first step warms up.
        if steps > 0 {
            wait += arrived;
            all += started.elapsed();
        }
        steps += 1;
    }
    batches.finish()?;
    let mean = |time: Duration| 1e3 * time.as_secs_f64() / f64::from(steps - 1);
    Ok([mean(wait), mean(all)])
}

fn share(
    name: &str,
    networks: [&str; 2],
    set: &ImageSet,
    config: LoaderConfig,
    device: &str,
) -> Outcome<()> {
    for workers in WORKERS {
        let config = LoaderConfig {
            workers,
            ..config.clone()
        };
        let [wait, all] = waiting(networks, set, config, device)?;
        println!(
            "| {name} | {workers} | {wait:.2} | {all:.1} | {:.1} % |",
            100.0 * wait / all
        );
    }
    Ok(())
}

fn read(root: &Path, files: ImageFiles) -> Outcome<ImageSet> {
    Ok(files.read_folder(root, None)?.train)
}

fn main() -> Outcome<()> {
    // Cargo passes flags of its own.
    let name = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let name = name.unwrap_or_else(|| "flex".to_owned());
    let device = device_by_name(&name)?;
    let cifar = ImageSet::new(
        (0..50_000 * 3072_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect(),
        (0..50_000).map(|i| i % 100).collect(),
        [32, 32],
        100,
        Normalization::CIFAR100,
    )?;
    let small = tempfile::tempdir()?;
    write_folder(small.path(), 4000, [64, 64])?;
    let large = tempfile::tempdir()?;
    write_folder(large.path(), 400, [375, 500])?;

    let started = Instant::now();
    let held = read(small.path(), ImageFiles::default())?;
    let rate = 4010.0 / started.elapsed().as_secs_f64();
    println!("decoded into memory, 64x64: {rate:.0} images a second\n");
    let streamed = ImageFiles {
        memory: 0,
        ..ImageFiles::default()
    };
    let streaming = read(small.path(), streamed.clone())?;
    let sized = ImageFiles {
        image_size: Some(224),
        ..streamed
    };
    let started = Instant::now();
    let photographs = read(large.path(), sized)?;
    let headers = 410.0 / started.elapsed().as_secs_f64();
    println!("headers of 500x375: {headers:.0} images a second\n");

    println!("| images | 0 workers | 1 | 2 | MiB |\n|---|--:|--:|--:|--:|");
    let train = LoaderConfig::train(64, 0);
    let with = |augmentation, batch_size| LoaderConfig {
        augmentation,
        batch_size,
        ..train.clone()
    };
    report(
        "32x32 in memory, crop and flip",
        &cifar,
        train.clone(),
        &device,
    )?;
    report(
        "64x64 in memory, flip",
        &held,
        with(Augmentation::Flip, 64),
        &device,
    )?;
    report(
        "64x64 JPEG streamed, flip",
        &streaming,
        with(Augmentation::Flip, 64),
        &device,
    )?;
    let resized = with(Augmentation::RESIZED_CROP, 32);
    report(
        "500x375 JPEG streamed, resized crop to 224",
        &photographs,
        resized.clone(),
        &device,
    )?;

    println!("\n| step | workers | waiting, ms | whole, ms | share |\n|---|--:|--:|--:|--:|");
    let drawn = ProceduralConfig {
        classes: 100,
        train: 64 * 12,
        test: 1,
        ..ProceduralConfig::default()
    };
    let drawn = drawn.generate()?.train;
    share(
        "kd `resnet20` → `resnet8`, 32x32, batch 64",
        ["resnet8", "resnet20"],
        &drawn,
        train.clone(),
        &name,
    )?;
    let few = photographs.limit(32 * 4);
    let step = "kd `resnet18-imagenet` → `mobilenetv1-imagenet`, 224x224 streamed, batch 32";
    share(
        step,
        ["mobilenetv1-imagenet", "resnet18-imagenet"],
        &few,
        resized,
        &name,
    )
}
