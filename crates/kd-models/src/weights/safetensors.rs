//! Reading safetensors.

use burn::tensor::{DType, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, SafeTensorError};

use super::WeightsInfo;
use super::state_dict::COUNTER;

type Parsed = (Option<WeightsInfo>, Vec<(String, TensorData)>);

/// The description and the tensors of a file, or what is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, String> {
    let text = |error: SafeTensorError| format!("not a safetensors file: {error}");
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(text)?;
    let info = match header.metadata() {
        Some(header) => WeightsInfo::from_header(header)
            .map_err(|error| format!("its description is damaged: {error}"))?,
        None => None,
    };
    let file = SafeTensors::deserialize(bytes).map_err(text)?;
    let mut entries = Vec::with_capacity(file.len());
    for (key, view) in file.tensors() {
        if key.ends_with(COUNTER) {
            continue;
        }
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => return Err(format!("`{key}` holds {other:?}, expected floats")),
        };
        let data = TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype);
        entries.push((key, data.convert::<f32>()));
    }
    Ok((info, entries))
}
