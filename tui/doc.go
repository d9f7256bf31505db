// Package tui is the console: one search box, and below it whatever was found or asked for.
//
// It is a Bubble Tea program over engine/api: Update takes a message and returns the next state and the commands
// to run, View draws the state, and all I/O happens in commands, each with a context that ends with the program.
// What a line means comes from a Language, which the shell implements.
//
// # The box
//
// The box always has the focus, so a letter never acts. Acts are words; F-keys only write the words:
//
//	       typing                Enter
//	empty ───────▶ a search ──────────────▶ results, first row selected ──Enter──▶ the row's page
//	  ▲ │            │ edit: no row is selected any more
//	  │ └──────▶ a verb's line ──Enter──▶ executed exactly as typed ──▶ outcome, job followed
//	  │              ▲                └─ irreversible ─▶ the name is asked for ─▶ executed
//	  └── Esc ───────┴── F-key on a selected VM
//
// Enter executes what is in the box and nothing else: no suggestion, no stale selection. A selected row counts only
// for a search line, where Enter opens a page, which changes nothing. A search that was entered is over: it is drawn as
// selected, and what is typed or pasted next replaces it; a key that edits or moves in the line goes on with it.
//
// # Signing
//
// What changes trust is done by a statement that an account signs with a wallet, which is elsewhere. Such a line gives a
// Proposal in place of an outcome: the console shows its line from the first column on, with nothing added, and the box
// takes the signature. See signing.
//
// # Data
//
// Every answer carries the number of its question; a stale one is dropped. Events change what is shown at once;
// what they cannot tell is asked for again, at most once a second. Text of guests and satellites passes clean before it
// is drawn, and the finished frame is checked for control sequences other than colours (see fit).
//
// # The serial console
//
// It is drawn inside the frame by tui/vt and not handed the terminal, for three reasons: over ssh the session's
// input cannot be taken from a reader that already waits on it, so the first keys would be lost; the person would
// lose the line that says where they are and how to leave; and a guest could send anything to the terminal.
// Ctrl-] leaves.
package tui
