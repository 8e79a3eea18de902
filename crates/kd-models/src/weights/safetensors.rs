//! Reading safetensors.

use burn::tensor::{DType, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, SafeTensorError};

use super::WeightsInfo;
use super::listing::{Entry, is_counter};

type Parsed = (Option<WeightsInfo>, Vec<(String, Entry)>);

/// The description and the entries of a file, or what is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, String> {
    let text = |error: SafeTensorError| {
        format!("not a safetensors file: {error}")
            .escape_debug()
            .to_string()
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(text)?;
    let info = match header.metadata() {
        Some(header) => WeightsInfo::from_header(header)
            .map_err(|reason| format!("its description is damaged: {reason}"))?,
        None => None,
    };
    let file = SafeTensors::deserialize(bytes).map_err(text)?;
    let mut entries = Vec::with_capacity(file.len());
    for (key, view) in file.tensors() {
        if is_counter(&key) {
            continue;
        }
        let shape = view.shape().to_vec();
        let dtype = match view.dtype() {
            Dtype::F32 => Some(DType::F32),
            Dtype::F64 => Some(DType::F64),
            Dtype::F16 => Some(DType::F16),
            Dtype::BF16 => Some(DType::BF16),
            _ => None,
        };
        let entry = match dtype {
            Some(dtype) => {
                let data = TensorData::from_bytes_vec(view.data().to_vec(), shape, dtype);
                Entry::Floats(data.convert::<f32>())
            }
            None => Entry::Other(format!("{:?} {shape:?}", view.dtype())),
        };
        entries.push((key, entry));
    }
    Ok((info, entries))
}
