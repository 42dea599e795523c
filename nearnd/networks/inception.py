"""Features of the Inception network that published FIDs are computed with.

torch-fidelity's port of the 2015 TensorFlow graph gives the numbers of the original; torchvision's
Inception does not. Its weights are a file that has to be there: nothing here reaches the network.
"""

from pathlib import Path
from unittest.mock import patch

import numpy as np

from nearnd.files.weights import state_dict

URL = (  # where torch-fidelity takes it from; the name ends in the start of the file's sha256
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)


def inception_features(pixels: np.ndarray, weights: Path, batch: int = 64) -> np.ndarray:
    """The 2048 features before the classifier, float32 (N, 2048).

    pixels uint8 (N, H, W, C); grey images are given to all three colours. Images of any size are
    scaled to 299 pixels inside, the TensorFlow way. `weights` is the file at URL, or the same
    tensors as .safetensors. ValueError if it is neither.
    """
    import torch

    from nearnd.jobs.device import device

    model = _model(Path(weights)).to(device())
    features = [np.empty((0, 2048), np.float32)]  # none of no images
    with torch.inference_mode():
        for i in range(0, len(pixels), batch):
            x = np.ascontiguousarray(pixels[i : i + batch].transpose(0, 3, 1, 2))  # (n, C, H, W)
            x = torch.from_numpy(x).to(device()).expand(-1, 3, -1, -1)  # (n, 3, H, W)
            features.append(model(x)[0].cpu().numpy())  # (n, 2048)
    return np.concatenate(features)  # (N, 2048)


def _model(weights: Path):
    import torch_fidelity.feature_extractor_inceptionv3 as port

    if not weights.exists():
        raise ValueError(f"there is no Inception weights file {weights}; it can be had from {URL}")
    tensors = state_dict(weights)
    # The port reads a local file with an unrestricted unpickler. It is told to download instead,
    # and handed the tensors that were read safely.
    try:
        with patch.object(port, "load_state_dict_from_url", lambda *_, **__: tensors):
            return port.FeatureExtractorInceptionV3("inception", ["2048"])
    except RuntimeError as error:
        raise ValueError(f"{weights} is not the Inception of {URL}: {error}") from error
