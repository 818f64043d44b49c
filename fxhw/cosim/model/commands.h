// Text commands to a bench, the same ones over a pipe and from a C program.
//
// A command is a line of words, numbers decimal or 0x..; bytes follow a line that says how many.
// Every answer is a line, "ok ..." or "error SENTENCE", and after "ok COUNT" of `peek`, `take` and
// `fetch` so many bytes.
//
//   r OFFSET                    -> ok RESPONSE VALUE CYCLE read a register
//   w OFFSET VALUE              -> ok RESPONSE CYCLE       write one
//   poke ADDRESS COUNT + bytes  -> ok                      write memory, past the bus
//   peek ADDRESS COUNT          -> ok COUNT + bytes        read memory, past the bus
//   fill SEED                   -> ok                      fill memory with noise
//   run CYCLES                  -> ok CYCLE                let time pass
//   wait CYCLES                 -> ok CAME CYCLE           run until the interrupt
//   step STEP CYCLES            -> ok NOW CYCLE            run until the step is another one
//   reset CYCLES                -> ok CYCLE
//   send COUNT + bytes          -> ok                      image stream, TLAST with the last
//   drop                        -> ok                      forget what is not sent yet
//   expect COUNT                -> ok                      take so many bytes of the mask stream
//   take                        -> ok COUNT + bytes        what has come of them
//   set NAME VALUE              -> ok                      timing, see kSettings
//   seed SEED                   -> ok                      of all pauses
//   guard FIRST END             -> ok                      report any touch of [FIRST, END)
//   fault r|w range FIRST END RESPONSE -> ok               answer with SLVERR (2) or DECERR (3)
//   fault r|w beat N RESPONSE   -> ok                      the same at the N-th beat from now on
//   forgive                     -> ok                      no guards and faults, problems forgotten
//   trace 0|1                   -> ok                      record what trace pins show, or do not
//   fetch TRACK                 -> ok COUNT + bytes        what is recorded since, see tracks.h
//   mark                        -> ok                      counts begin again
//   counts                      -> ok NAME=VALUE ...
//   problems                    -> ok COUNT, then so many lines
//   quit                        -> ok
#pragma once

#include <cstdio>

#include "bench.h"

namespace fxhw {

// Carries out `line`, reading bytes from `in` (may be null); false after quit.
bool carry_out(Bench &bench, const char *line, std::FILE *in, std::FILE *out);

}  // namespace fxhw
