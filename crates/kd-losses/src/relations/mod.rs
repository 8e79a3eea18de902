//! Methods that compare relations: between samples, channels, regions or stages.
