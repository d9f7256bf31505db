// Package vt is a small terminal in memory: the bytes of a guest's serial line go in, rows of cells come out.
//
// The console shows a guest inside its own frame, so the guest's bytes must not reach the person's terminal: what
// a guest writes is read here as ECMA-48 (5th edition) control functions and as DEC's VT100 to VT220 private ones,
// and only printable characters and colours leave again, as SGR (ECMA-48 section 8.3.117).
//
//	bytes ──► parser ──► actions ──► cells ──► Rows: text and SGR, nothing else
//	                        └──────► Reply: answers to DSR and DA, for the guest
//
// What is understood: cursor movement, erasing, inserting, deleting and scrolling of lines and characters, scroll
// regions, tabs every eight columns, the line drawing set, the second screen, autowrap, colours up to 24 bits.
// What is not is read to its end and dropped; nothing a guest sends can make the screen grow. A wide character
// takes two cells; combining and invisible ones are dropped.
//
// A Screen is not safe for concurrent use. It does no I/O and knows no clock.
package vt
