"""A protoc plugin for buf: grpcio-tools has its gRPC plugin inside its protoc, which this asks."""

import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
response = CodeGeneratorResponse(supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
with tempfile.TemporaryDirectory() as folder:
    contracts, out = Path(folder, "contracts"), Path(folder, "out")
    contracts.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
    out.mkdir()
    options = [f"--descriptor_set_in={contracts}", f"--grpc_python_out={out}"]
    if protoc.main(["protoc", *options, *request.file_to_generate]) != 0:
        sys.exit("protoc failed")
    for path in sorted(out.rglob("*.py")):
        response.file.add(name=str(path.relative_to(out)), content=path.read_text())
sys.stdout.buffer.write(response.SerializeToString())
