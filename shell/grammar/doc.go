// Package grammar is the one language of Decenter: the search box, ssh and the command line speak it alike.
//
// # A line
//
// A line is one verb, words, keys with values, and flags, with blanks between them. In the notation of
// ISO/IEC 14977:
//
//	line  = [ term, { blank, term } ] ;
//	term  = text | print | arg | flag ;
//	arg   = [ "-" ], key, ":", [ op ], value, { ",", value } ;
//	op    = "<" | "<=" | ">" | ">=" ;
//	value = text ;                      (* bare: no comma; no < or > at its beginning *)
//	text  = bare | quoted ;             (* bare: no blank, no quote *)
//	quoted = '"', { character | "\", character }, '"' ;   (* \ makes the next character plain *)
//	print = "SHA256:", { base64 } ;     (* a key's fingerprint is a word, and no key with a value *)
//	key   = letter, { letter | digit | "-" | "_" } ;
//	flag  = "--", key ;
//
// Blanks are those of Unicode. Other control characters, malformed UTF-8 and more than MaxLine characters are
// errors. Columns count characters from 1.
//
// # What is a verb
//
// The first term that is no flag is a verb exactly when it is bare and in the table. Quoted, it is a word of
// a search: `"create"` finds what is named so. A bare first word that is no verb begins a search too, unless
// it is one or two letters away from a verb and the line goes on as that verb would: then it is an error which
// names the verb, so that `creat web-1 from:tiny` is never a search by mistake. The kinds vm, spacesuit,
// satellite and job are never taken for misspelt verbs.
//
// # The table
//
// Verbs gives every verb with its words, its keys and their types, its help and its examples. The parser, the
// help, the completion, REFERENCE.md (go generate) and the console's hints are made from it and from nothing
// else.
//
// A parsed Command writes itself again: Parse(c.String()) gives c, but for the columns.
package grammar

//go:generate go run ./reference
