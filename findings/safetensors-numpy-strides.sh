#!/bin/sh
# safetensors 0.8.0, numpy 2.4.6: `safetensors.numpy.save_file` writes an array that is not contiguous by the order of its
# memory, with the shape of the view: a transposed matrix comes back with its values in other places, and nothing is said.
# (`safetensors.torch.save_file` refuses such tensors.) Seen 2026-11-30; earful makes arrays contiguous before it writes.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet safetensors==0.8.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY' | tee seen
import numpy as np
from safetensors.numpy import load_file, save_file

columns = np.arange(6).reshape(2, 3).T
save_file({"columns": columns}, "file.safetensors")
print("saved ", columns.tolist())
print("loaded", load_file("file.safetensors")["columns"].tolist())
PY
cat > expected <<'OUT'
saved  [[0, 3], [1, 4], [2, 5]]
loaded [[0, 1], [2, 3], [4, 5]]
OUT
cmp seen expected
