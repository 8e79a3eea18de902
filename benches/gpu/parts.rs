//! The measurements.

use std::error::Error;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use kd_data::{Batch, ImageSet, Loader, LoaderConfig, Normalization};
use kd_losses::{Method, MethodLoss};
use kd_models::{AnyNetwork, Architecture};
use kd_spot::{RoutingConfig, RoutingMode};
use kd_train::{
    DataInfo, DeviceSteps, DistillTask, FrozenTeacher, OptimizerConfig, Rates, Shorthand,
    TaskConfig, device_by_name,
};
use serde_json::{Value, json};

use super::case::{Case, Part};

const CLASSES: usize = 100;
const RATE: f64 = 0.05;
/// Images that are drawn; the others are the same.
const DIFFERENT: usize = 512;

type Task = DistillTask<AnyNetwork, AnyNetwork, MethodLoss>;

/// A task on a device, first with the host and then without.
pub struct Bench {
    case: Case,
    started: Instant,
    device: Device,
    loader: Loader,
    optimizer: OptimizerConfig,
    router_decay: f64,
    batch: Batch,
    task: Option<Task>,
    on_device: Option<DeviceSteps>,
    epoch: usize,
}

impl Bench {
    pub fn new(case: &Case, started: Instant) -> Result<Self, Box<dyn Error>> {
        kd_kernels::set_enabled(case.kernels);
        let device = device_by_name(&case.device)?;
        let training = device.clone().autodiff();
        let config = LoaderConfig::train(case.batch, 0);
        let loader = Loader::new(images(case.images)?, config)?;
        let student = Architecture::by_name(&case.student)?.init(CLASSES, &training);
        let teacher = Architecture::by_name(&case.teacher)?.init(CLASSES, &device);
        let teacher = FrozenTeacher::new(case.teacher.clone(), &teacher);
        let shorthand = Shorthand {
            method: Some(Method::by_name(&case.method)?),
            ..Shorthand::default()
        };
        let mut config = TaskConfig::<Method>::new();
        config.losses = shorthand.terms();
        config.fold_teacher = true;
        if case.adaptive {
            config.routing = RoutingConfig::new(RoutingMode::Adaptive);
        }
        let optimizer = config.optimizer.clone().resolved()?;
        let routing = config.routing.clone().resolved(optimizer.rate())?;
        let mut task = config.init(student, Some(teacher), &DataInfo::of(&loader), &training)?;
        task.set_draws(0, 0);
        Ok(Self {
            batch: loader.batch(0, 0, &training)?,
            case: case.clone(),
            started,
            device,
            loader,
            optimizer,
            router_decay: routing.weight_decay.unwrap_or(0.0),
            task: Some(task),
            on_device: None,
            epoch: 0,
        })
    }

    pub fn measure(&mut self, part: Part) -> Result<Value, Box<dyn Error>> {
        match part {
            Part::FirstStep => {
                let before = self.started.elapsed().as_secs_f64();
                self.eager()?;
                self.device.sync()?;
                let total = self.started.elapsed().as_secs_f64();
                Ok(json!({ "seconds": total, "before": before }))
            }
            Part::Eager => self.speed(Self::eager),
            Part::Loader => self.with_loader(),
            Part::Resident => {
                self.settle()?;
                self.speed(Self::step)
            }
            Part::EagerLaunches => self.launches(Self::eager),
            Part::Launches => {
                self.settle()?;
                self.launches(Self::step)
            }
            Part::Record => {
                self.settle()?;
                let started = Instant::now();
                let (steps, task) = self.steps_and_task()?;
                let (task, recorded) = steps.record(task);
                self.task = Some(task);
                let seconds = started.elapsed().as_secs_f64();
                Ok(json!({ "seconds": seconds, "difference": recorded? }))
            }
            Part::Recorded => {
                let task = self.on_device.as_ref();
                if !task.is_some_and(DeviceSteps::is_recorded) {
                    return Err("the step is not recorded".into());
                }
                self.speed(Self::step)
            }
            Part::Epoch => Ok(json!(self.one_epoch()?)),
        }
    }

    fn eager(&mut self) -> Result<(), Box<dyn Error>> {
        let task = self.task.take().ok_or("the task is lost")?;
        self.task = Some(task.step(&self.batch).0);
        Ok(())
    }

    fn with_loader(&mut self) -> Result<Value, Box<dyn Error>> {
        let training = self.device.clone().autodiff();
        let mut batches = self.loader.epoch(1, &training);
        let mut task = self.task.take().ok_or("the task is lost")?;
        let enough = Duration::from_secs_f64(self.case.seconds);
        let (mut started, mut steps) = (Instant::now(), 0);
        for (index, batch) in batches.by_ref().enumerate() {
            if index == 2 {
                self.device.sync()?;
                (started, steps) = (Instant::now(), 0);
            }
            task = task.step(&batch).0;
            steps += 1;
            if index > 3 && started.elapsed() > enough {
                break;
            }
        }
        self.device.sync()?;
        let speed = (steps * self.case.batch) as f64 / started.elapsed().as_secs_f64();
        self.task = Some(task);
        Ok(json!(speed))
    }

    fn settle(&mut self) -> Result<(), Box<dyn Error>> {
        if self.on_device.is_none() {
            let task = self.task.as_mut().ok_or("the task is lost")?;
            DeviceSteps::check(task, &self.optimizer, &self.loader)?;
            let optimizer = (&self.optimizer, self.router_decay);
            let mut steps = DeviceSteps::new(task, optimizer, &self.loader)?;
            steps.start(task, self.epoch, |_| Rates::from(RATE), Some(0));
            self.on_device = Some(steps);
        }
        Ok(())
    }

    fn steps_and_task(&mut self) -> Result<(&mut DeviceSteps, Task), Box<dyn Error>> {
        let steps = self.on_device.as_mut().ok_or("no steps on the device")?;
        Ok((steps, self.task.take().ok_or("the task is lost")?))
    }

    /// A step on the device, from epoch to epoch.
    fn step(&mut self) -> Result<(), Box<dyn Error>> {
        let epoch = self.epoch + 1;
        let (steps, mut task) = self.steps_and_task()?;
        let ends = steps.next_step() == steps.batches();
        if ends {
            steps.start(&mut task, epoch, |_| Rates::from(RATE), Some(0));
        }
        self.task = Some(steps.step(task)?);
        self.epoch += usize::from(ends);
        Ok(())
    }

    /// Seconds of an epoch.
    fn one_epoch(&mut self) -> Result<f64, Box<dyn Error>> {
        self.epoch += 1;
        self.device.sync()?;
        let started = Instant::now();
        let (epoch, loader) = (self.epoch, self.loader.clone());
        let training = self.device.clone().autodiff();
        let (steps, mut task) = self.steps_and_task()?;
        steps.start(&mut task, epoch, |_| Rates::from(RATE), Some(0));
        for _ in 0..steps.batches() {
            task = steps.step(task)?;
        }
        if steps.batches() < loader.batches() {
            let batch = loader.batch(epoch, steps.batches(), &training)?;
            task = steps.step_with(task, batch);
        }
        self.task = Some(task);
        self.device.sync()?;
        Ok(started.elapsed().as_secs_f64())
    }

    /// Three steps, in which kernels are chosen.
    fn warm_up(
        &mut self,
        run: fn(&mut Self) -> Result<(), Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        for _ in 0..3 {
            run(self)?;
        }
        Ok(self.device.sync()?)
    }

    /// Launches of a step, after three in which kernels are chosen.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    fn launches(
        &mut self,
        run: fn(&mut Self) -> Result<(), Box<dyn Error>>,
    ) -> Result<Value, Box<dyn Error>> {
        self.warm_up(run)?;
        let (done, launches) = kd_kernels::gpu::launches::count(|| {
            run(self)?;
            Ok::<_, Box<dyn Error>>(self.device.sync()?)
        });
        done?;
        let all: usize = launches.values().sum();
        Ok(json!({ "all": all, "by_kernel": launches }))
    }

    #[cfg(not(any(feature = "cuda", feature = "wgpu")))]
    fn launches(
        &mut self,
        _run: fn(&mut Self) -> Result<(), Box<dyn Error>>,
    ) -> Result<Value, Box<dyn Error>> {
        Err("there are no launches on a CPU".into())
    }

    /// Images a second, after three steps to warm up. As PyTorch's side, it waits for each step.
    fn speed(
        &mut self,
        run: fn(&mut Self) -> Result<(), Box<dyn Error>>,
    ) -> Result<Value, Box<dyn Error>> {
        self.warm_up(run)?;
        let enough = Duration::from_secs_f64(self.case.seconds);
        let started = Instant::now();
        let mut steps = 0;
        while steps < 2 || started.elapsed() < enough {
            run(self)?;
            self.device.sync()?;
            steps += 1;
        }
        let images = steps * self.case.batch;
        Ok(json!(images as f64 / started.elapsed().as_secs_f64()))
    }
}

/// Images of CIFAR's shape without anything on them.
fn images(count: usize) -> Result<ImageSet, Box<dyn Error>> {
    const BYTES: usize = 3 * 32 * 32;
    let mut state = 1_u32;
    let different: Vec<u8> = (0..DIFFERENT.min(count) * BYTES)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    let mut pixels = different.repeat(count.div_ceil(DIFFERENT));
    pixels.truncate(count * BYTES);
    let labels = (0..count).map(|index| (index % CLASSES) as u32).collect();
    Ok(ImageSet::new(
        pixels,
        labels,
        [32, 32],
        CLASSES,
        Normalization::CIFAR100,
    )?)
}
