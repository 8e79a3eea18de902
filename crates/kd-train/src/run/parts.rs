//! The networks and losses of a run.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use kd_core::{Network, Site, initialize};
use kd_losses::{LossConfig, Method, Pretrain, TermConfig};
use kd_models::weights::{self, Form, ReadOptions, WeightsFile, WeightsInfo};
use kd_models::{AnyNetwork, Architecture};

use crate::recipe::Beside;
use crate::{FrozenTeacher, OneOrMany, Recipe, StudentConfig, TeacherConfig, TrainError};

/// What a network is made for.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Number of classes.
    pub classes: usize,
    /// Shape `[channels, height, width]` of an image.
    pub input: [usize; 3],
    /// The device that the student trains on.
    pub device: Device,
}

/// What is known of a network when it is written.
#[derive(Clone, Debug)]
pub struct Trained<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// Number of classes.
    pub classes: usize,
    /// Shape `[channels, height, width]` of an image.
    pub input: [usize; 3],
    /// Per-channel mean of images scaled to 0..1.
    pub mean: [f32; 3],
    /// Per-channel deviation.
    pub std: [f32; 3],
    /// Top-1 accuracy on the test images, in percent.
    pub top1: Option<f64>,
}

pub(crate) type Make<T> = Box<dyn FnOnce(&Setting) -> Result<T, TrainError>>;
type Save<T> = Box<dyn Fn(&T, &Path, &Trained<'_>) -> Result<(), TrainError>>;

/// The student, the teacher and further losses of a [run](crate::run_with): any two networks, and
/// losses of your own beside those of the recipe.
///
/// See [`Parts::new`] for networks of your own.
pub struct Parts<S, T, C = Method> {
    pub(crate) student: String,
    pub(crate) make_student: Make<S>,
    pub(crate) save_student: Save<S>,
    pub(crate) peers: Vec<PeerPart<S>>,
    pub(crate) teacher: Option<TeacherPart<T>>,
    pub(crate) losses: Vec<TermConfig<C>>,
    /// Whether the networks are those that the recipe names.
    pub(crate) are_of_recipe: bool,
}

/// A further network of mutual learning.
pub(crate) struct PeerPart<S> {
    pub(crate) name: String,
    pub(crate) make: Make<S>,
    pub(crate) save: Save<S>,
}

pub(crate) struct TeacherPart<T> {
    /// The files that it is read from.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) make: Make<FrozenTeacher<T>>,
    pub(crate) save: Save<T>,
}

impl<S: Network + 'static, T: Network + 'static, C: LossConfig> Parts<S, T, C> {
    /// A student of your own, which learns from labels alone until it has a
    /// [teacher](Self::with_teacher). It is made on the device that it trains on, once the seed of
    /// the recipe is set; its weights are written as safetensors under the paths of its parameters.
    pub fn new(name: impl Into<String>, make: impl FnOnce(&Setting) -> S + 'static) -> Self {
        Self {
            student: name.into(),
            make_student: Box::new(|setting| Ok(make(setting))),
            save_student: Box::new(save_module),
            peers: Vec::new(),
            teacher: None,
            losses: Vec::new(),
            are_of_recipe: false,
        }
    }

    /// Sets the teacher.
    pub fn with_teacher(
        mut self,
        name: impl Into<String>,
        make: impl FnOnce(&Setting) -> T + 'static,
    ) -> Self {
        let name = name.into();
        self.teacher = Some(TeacherPart {
            files: Vec::new(),
            make: Box::new(|setting| Ok(FrozenTeacher::new(name, &initialize(make(setting))))),
            save: Box::new(save_module),
        });
        self
    }

    /// Adds a network for mutual learning with the student and those added before; then there is no
    /// teacher. It is made after them, and its weights are written as the student's.
    pub fn with_peer(
        mut self,
        name: impl Into<String>,
        make: impl FnOnce(&Setting) -> S + 'static,
    ) -> Self {
        self.peers.push(PeerPart {
            name: name.into(),
            make: Box::new(|setting| Ok(make(setting))),
            save: Box::new(save_module),
        });
        self
    }

    /// Adds a term, after those of the recipe.
    pub fn with_term(mut self, loss: impl Into<C>, weight: f64) -> Self {
        self.losses.push(TermConfig::new(loss, weight));
        self
    }
}

impl<S, T, C: LossConfig> Parts<S, T, C> {
    /// What a recipe is not to miss.
    pub(crate) fn beside(&self) -> Beside {
        let distills = |term: &TermConfig<C>| {
            term.weight != 0.0 && term.loss.requirements().site != Site::Labels
        };
        let pretrains = |term: &TermConfig<C>| term.loss.pretrain() != Pretrain::None;
        Beside {
            teacher: self.teacher.is_some(),
            peers: !self.peers.is_empty(),
            distills: self.losses.iter().any(distills),
            pretrains: self.losses.iter().any(pretrains),
        }
    }
}

impl Parts<AnyNetwork, AnyNetwork> {
    /// The networks that a recipe names.
    pub(crate) fn of(recipe: &Recipe) -> Result<Self, TrainError> {
        let student = trained_part(&recipe.student, "student.network")?;
        let peers = recipe.peers.iter();
        let peers = peers.map(|peer| trained_part(peer, "peers"));
        let peers = peers.collect::<Result<_, TrainError>>()?;
        let teacher = recipe.teacher.weights.as_ref().map(|files| TeacherPart {
            files: files.as_slice().to_vec(),
            make: make_teacher(recipe.teacher.clone()),
            save: Box::new(|network: &AnyNetwork, path: &Path, trained: &Trained<'_>| {
                let teacher = &trained.recipe.teacher;
                let file = teacher.weights.as_ref().and_then(OneOrMany::first);
                let identify =
                    |path| WeightsFile::open_with(path, &teacher.read_options())?.identify();
                let named = teacher.network.as_ref().and_then(OneOrMany::first);
                let architecture = match (named, file) {
                    (Some(network), _) => *network,
                    (None, Some(path)) => identify(path)?.architecture,
                    (None, None) => return Ok(()),
                };
                let form = match (trained.recipe.routing.is_sakd_joint(), file) {
                    (true, Some(path)) => identify(path)?.form,
                    _ => Form::Folded,
                };
                let info = trained.info(architecture, form);
                Ok(weights::save(path, network, &info)?)
            }),
        });
        Ok(Self {
            student: student.name,
            make_student: student.make,
            save_student: student.save,
            peers,
            teacher,
            losses: Vec::new(),
            are_of_recipe: true,
        })
    }
}

/// A network that is trained, as a recipe says it in the named field.
fn trained_part(
    config: &StudentConfig,
    field: &'static str,
) -> Result<PeerPart<AnyNetwork>, TrainError> {
    let config = config.clone();
    let options = config.read_options();
    let architecture = match (config.network, &config.weights) {
        (Some(network), _) => network,
        (None, Some(path)) => {
            WeightsFile::open_with(path, &options)?
                .identify()?
                .architecture
        }
        (None, None) => {
            return Err(TrainError::Missing {
                field,
                hint: "specify the network to train; `kd models` lists them".to_owned(),
            });
        }
    };
    let make = move |setting: &Setting| {
        architecture.check_input(setting.input)?;
        let Setting {
            classes, device, ..
        } = setting;
        Ok(match &config.weights {
            Some(path) => {
                let file = WeightsFile::open_with(path, &options)?;
                file.into_network(Some(architecture), Some(*classes), device)?
            }
            None => architecture.init(*classes, device),
        })
    };
    Ok(PeerPart {
        name: architecture.name().to_owned(),
        make: Box::new(make),
        save: Box::new(move |network, path, trained| {
            let info = trained.info(architecture, Form::Trained);
            Ok(weights::save(path, network, &info)?)
        }),
    })
}

/// Reads the teacher of a recipe, or the members of its ensemble.
fn make_teacher(config: TeacherConfig) -> Make<FrozenTeacher<AnyNetwork>> {
    Box::new(move |setting: &Setting| load_teachers(&config, setting))
}

/// Reads the teacher that a recipe's section names, or the members of its ensemble.
///
/// # Errors
///
/// Those of [`load_teacher`] for each file; [`TrainError::Missing`] if there is none.
pub fn load_teachers(
    config: &TeacherConfig,
    setting: &Setting,
) -> Result<FrozenTeacher<AnyNetwork>, TrainError> {
    let files = config.weights.as_ref().map_or(&[][..], OneOrMany::as_slice);
    let names = config.network.as_ref().map_or(&[][..], OneOrMany::as_slice);
    let teachers = files.iter().enumerate();
    let teachers = teachers.map(|(index, path)| {
        let name = names.get(index).copied();
        load_teacher(path, name, &config.read_options(), setting)
    });
    let teachers: Vec<_> = teachers.collect::<Result<_, TrainError>>()?;
    FrozenTeacher::ensemble(teachers, &config.ensemble.clone().unwrap_or_default())
}

/// A teacher of the networks that a recipe names, with weights that are drawn: if it is to be read
/// from files that are not there.
pub(crate) fn stand_in_teacher(config: &TeacherConfig) -> Option<TeacherPart<AnyNetwork>> {
    let files = config.weights.as_ref()?.as_slice();
    let names = config.network.as_ref()?.as_slice().to_vec();
    if files.iter().all(|file| file.exists()) || names.len() != files.len() {
        return None;
    }
    let ensemble = config.ensemble.clone().unwrap_or_default();
    let make = move |setting: &Setting| {
        let plain = setting.device.clone().without_autodiff();
        let drawn = names.iter().map(|name| {
            let network = name.init(setting.classes, &plain);
            FrozenTeacher::new(name.name(), &initialize(network))
        });
        FrozenTeacher::ensemble(drawn.collect(), &ensemble)
    };
    Some(TeacherPart {
        files: Vec::new(),
        make: Box::new(make),
        save: Box::new(save_module),
    })
}

/// Reads a teacher from a weights file. The architecture may be left out if the file names its own,
/// or if its keys and shapes tell it; `options` say which of the weights in the file are meant.
///
/// # Errors
///
/// If the file cannot be read, does not fit the architecture or the number of classes, or if the
/// network cannot take such images.
pub fn load_teacher(
    path: &Path,
    architecture: Option<Architecture>,
    options: &ReadOptions,
    setting: &Setting,
) -> Result<FrozenTeacher<AnyNetwork>, TrainError> {
    let file = WeightsFile::open_with(path, options)?;
    let name = match architecture {
        Some(architecture) => architecture,
        None => file.identify()?.architecture,
    };
    name.check_input(setting.input)?;
    let plain = setting.device.clone().without_autodiff();
    let network = file.into_network(architecture, Some(setting.classes), &plain)?;
    Ok(FrozenTeacher::new(name.name(), &network))
}

impl Trained<'_> {
    fn info(&self, architecture: Architecture, form: Form) -> WeightsInfo {
        WeightsInfo {
            architecture,
            form,
            classes: self.classes,
            input: self.input,
            mean: Some(self.mean),
            std: Some(self.std),
            data: Some(self.recipe.data.name.name().to_owned()),
            top1: self.top1,
        }
    }
}

/// Writes a network under the paths of its parameters.
fn save_module<M: Network>(
    network: &M,
    path: &Path,
    trained: &Trained<'_>,
) -> Result<(), TrainError> {
    let mut header = std::collections::HashMap::from([
        ("format".to_owned(), "pt".to_owned()),
        ("classes".to_owned(), trained.classes.to_string()),
    ]);
    if let Some(top1) = trained.top1 {
        header.insert("top1".to_owned(), top1.to_string());
    }
    Ok(weights::save_module(path, network, header)?)
}
