"""One block alone as Verilog: a requantizer for eight channels."""

from fxhw.emit import emit_verilog
from fxhw.fixed import ActivationFormat, Requantize
from fxhw.gateware.requantizer import Requantizer

spec = Requantize(acc_width=20, out=ActivationFormat(6))
emitted = emit_verilog(Requantizer(spec, lanes=8), top="requantizer8")

ports = [line.strip() for line in emitted.verilog.splitlines() if line.startswith("  input")]
print(f"module {emitted.top}: {len(emitted.verilog.splitlines())} lines of Verilog")
print("\n".join(ports))
