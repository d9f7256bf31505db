// Package shell carries out lines of the grammar on a constellation: those of the command line, of ssh, and
// those that the console hands over.
//
// # One line
//
// Run parses a line, asks an api.Service, writes the answer to Streams and gives the exit code (api.ExitCode).
// Answers go to Out. Everything about the answer goes to Err: progress, the satellites that did not answer,
// and errors with the column and what would be right.
//
// # Long work
//
// The job's id comes first: on Err, or with --json as the first line of Out. Then the job is followed:
//
//	begun ──▶ followed ──▶ done        0, the result on Out
//	  │          ├───────▶ failed      1
//	  │          ├───────▶ cancelled   2
//	  │          └─ the caller went ─▶ 8, the job goes on
//	  └─ detach:yes ─────────────────▶ 8, the job goes on
//
// A terminal shows progress as one line that is written over; a dumb one gets a line for each new step; where
// Err is no terminal nothing is shown.
//
// # What an account signs
//
// admit, eject, grant and revoke take two steps. The satellite proposes a line, which says everything; the account signs
// it with a wallet, which may be anywhere; and the line is declared with its signature:
//
//	line ──▶ proposed ──▶ shown, the signature is asked for ──▶ declared     0, or 4 where it does not count
//	             └─ nobody can be asked, or --json ─▶ printed                8; `declare` is the second step
//
// The line stands alone on its own, so that it can be selected. Who brings a signed line does not matter: `declare` also
// reads them from In.
//
// # A serial console
//
// On a terminal `console NAME` hands the keyboard to the guest byte by byte. Ctrl-] (0x1d) begins an escape:
// q or a full stop leaves, a second Ctrl-] sends one to the guest, any other key sends both. The size of the
// window does not matter. Where In is no terminal its bytes go to the guest as they are; after its end the
// console waits until the guest has been quiet for the time of idle (DefaultIdle) and then leaves.
//
// # Line mode
//
// REPL reads line after line, without an alternate screen, colour or drawing over: for --plain, TERM=dumb and
// screen readers. Main is the whole of the program `decenter` but for its own commands and its console.
package shell
