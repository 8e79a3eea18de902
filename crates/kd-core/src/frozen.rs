//! A network that is not trained, inside of a module that is.

use std::ops::Deref;

use burn::module::{Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault};
use burn::module::{ModuleMapper, ModuleVisitor};
use burn::tensor::Device;

/// A value that a module holds but does not train, save or move: a teacher beside its student.
///
/// As a module it has no parameters, so that optimizers and records pass it by.
#[derive(Clone, Debug)]
pub struct Frozen<T>(pub T);

impl<T> Deref for Frozen<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone + Send + std::fmt::Debug> Module for Frozen<T> {
    fn collect_devices(&self, devices: Devices) -> Devices {
        devices
    }

    fn fork(self, _device: &Device) -> Self {
        self
    }

    fn to_device(self, _device: &Device) -> Self {
        self
    }

    fn train(self) -> Self {
        self
    }

    fn valid(&self) -> Self {
        self.clone()
    }

    fn materialize(self) -> Self {
        self
    }

    fn visit<Visitor: ModuleVisitor>(&self, _visitor: &mut Visitor) {}

    fn map<Mapper: ModuleMapper>(self, _mapper: &mut Mapper) -> Self {
        self
    }
}

impl<T: Clone + Send + std::fmt::Debug> ModuleDisplayDefault for Frozen<T> {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_formatted(&"frozen").optional()
    }
}

impl<T: Clone + Send + std::fmt::Debug> ModuleDisplay for Frozen<T> {}
