package grammar

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"decenter/engine/api"
)

// MaxLine bounds a line, in characters.
const MaxLine = 4096

// The token Open is a quoted text without its end: the parser refuses it, the completion reads it.
const (
	quotedForm = `"(\\.|[^"\\])*"`
	openForm   = `"(\\.|[^"\\])*\\?`
)

var keyForm = regexp.MustCompile(`^-?[A-Za-z][A-Za-z0-9_-]*:(>=|<=|>|<)?`)

var tokens = lexer.MustStateful(lexer.Rules{
	"Root": {
		{Name: "Blank", Pattern: `[\s\p{Z}]+`},
		{Name: "Print", Pattern: `SHA256:[A-Za-z0-9+/]*`},
		{Name: "Key", Pattern: `-?[A-Za-z][A-Za-z0-9_-]*:`, Action: lexer.Push("Value")},
		{Name: "Flag", Pattern: `--[A-Za-z][A-Za-z0-9_-]*`},
		{Name: "Quoted", Pattern: quotedForm},
		{Name: "Open", Pattern: openForm},
		{Name: "Word", Pattern: `[^\s\p{Z}"]+`},
	},
	"Value": {
		{Name: "Blank", Pattern: `[\s\p{Z}]+`, Action: lexer.Pop()},
		{Name: "Op", Pattern: `>=|<=|>|<`},
		{Name: "Comma", Pattern: `,`},
		{Name: "Quoted", Pattern: quotedForm},
		{Name: "Open", Pattern: openForm},
		{Name: "Value", Pattern: `[^\s\p{Z}",<>][^\s\p{Z}",]*`},
	},
})

// The productions. They are laxer than the grammar: what they let through, readArg and Parse refuse with a
// better word than "unexpected token".
type lineNode struct {
	Terms []*termNode `parser:"Blank? ( @@ ( Blank @@ )* )? Blank?"`
}

type termNode struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Arg    *argNode `parser:"(  @@"`
	Flag   string   `parser:" | @Flag"`
	Quoted string   `parser:" | @Quoted"`
	Open   string   `parser:" | @Open"`
	Word   string   `parser:" | @( Print | Word ) )"`
}

type argNode struct {
	Key   string      `parser:"@Key"`
	Parts []*partNode `parser:"@@*"`
}

type partNode struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Op     string `parser:"(  @Op"`
	Comma  bool   `parser:" | @Comma"`
	Quoted string `parser:" | @Quoted"`
	Open   string `parser:" | @Open"`
	Value  string `parser:" | @Value )"`
}

var parser = participle.MustBuild[lineNode](participle.Lexer(tokens), participle.UseLookahead(2))

// Text is a word or a value of a line.
type Text struct {
	Value  string // without quotes
	Quoted bool   // it was written with quotes
	At     int    // byte offset in the line
	open   bool   // its closing quote is missing
}

// term is one term of a line before the table is asked what it means.
type term struct {
	at, end int    // byte offsets
	flag    string // its name without hyphens; else
	key     string // its name without colon; else
	text    Text   // a word
	arg     rawArg // with key
}

// rawArg is what stands around the colon.
type rawArg struct {
	not    bool
	op     api.Op
	values []Text
}

// scan splits a line into terms. open lets the last quote lack its end.
func scan(line string, open bool) ([]term, error) {
	if err := checkText(line); err != nil {
		return nil, err
	}
	node, err := parser.ParseString("", line)
	if err != nil {
		return nil, syntaxError(line, err)
	}
	terms := make([]term, 0, len(node.Terms))
	for _, n := range node.Terms {
		t := term{at: n.Pos.Offset, end: n.EndPos.Offset, flag: strings.TrimPrefix(n.Flag, "--")}
		switch {
		case n.Arg != nil:
			if t.key, t.arg, err = readArg(line, n, open); err != nil {
				return nil, err
			}
		case n.Flag == "":
			t.text = text(n.Pos, n.Quoted, n.Open, n.Word)
			if t.text.open && !open {
				return nil, notClosed(line, t.at)
			}
		}
		terms = append(terms, t)
	}
	return terms, nil
}

// readArg gives the key and values of a term. A value may be empty here; Parse refuses it.
func readArg(line string, n *termNode, open bool) (string, rawArg, error) {
	var a rawArg
	key := strings.TrimSuffix(n.Arg.Key, ":")
	key, a.not = strings.CutPrefix(key, "-")
	at := n.Pos.Offset + len(n.Arg.Key)
	value := Text{At: at}
	filled := false
	for i, p := range n.Arg.Parts {
		switch {
		case p.Op != "" && i == 0:
			a.op = api.Op(p.Op)
			value.At = p.EndPos.Offset
		case p.Op != "":
			return "", a, wrong(line, p.Pos.Offset, fmt.Sprintf("%q stands only right after the colon", p.Op), `quote the value if it is part of it`)
		case p.Comma:
			a.values = append(a.values, value)
			value, filled = Text{At: p.EndPos.Offset}, false
		case filled:
			return "", a, wrong(line, p.Pos.Offset, "a quote begins or ends inside a value", `quote the whole value, \" inside it`)
		default:
			value, filled = text(p.Pos, p.Quoted, p.Open, p.Value), true
			if value.open && !open {
				return "", a, notClosed(line, value.At)
			}
		}
	}
	a.values = append(a.values, value)
	return key, a, nil
}

func text(pos lexer.Position, quoted, open, bare string) Text {
	switch {
	case quoted != "":
		return Text{Value: unescape(quoted[1 : len(quoted)-1]), Quoted: true, At: pos.Offset}
	case open != "":
		return Text{Value: unescape(open[1:]), Quoted: true, At: pos.Offset, open: true}
	}
	return Text{Value: bare, At: pos.Offset}
}

// unescape takes the backslashes away.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	plain := false
	for _, r := range s {
		if r == '\\' && !plain {
			plain = true
			continue
		}
		plain = false
		b.WriteRune(r)
	}
	return b.String()
}

// checkText refuses what no line may hold.
func checkText(line string) error {
	if n := utf8.RuneCountInString(line); n > MaxLine {
		return &api.Error{Code: api.CodeInvalid, Column: MaxLine + 1, Message: fmt.Sprintf("the line has %d characters", n),
			Hint: fmt.Sprintf("use at most %d", MaxLine)}
	}
	for i, r := range line {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(line[i:]); size == 1 {
				return wrong(line, i, "this is not UTF-8", "check the terminal's character set")
			}
		}
		if unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' {
			return wrong(line, i, fmt.Sprintf("a control character (%U) is in the line", r), "take it out")
		}
	}
	return nil
}

// syntaxError turns the parser's error into ours.
func syntaxError(line string, err error) error {
	at := len(line)
	var pe participle.Error
	if errors.As(err, &pe) {
		at = min(pe.Position().Offset, len(line))
	}
	if strings.HasPrefix(line[at:], `"`) || at > 0 && line[at-1] == '"' {
		return wrong(line, at, "a quote begins or ends inside a word", `put a blank between, or quote the whole word, \" inside it`)
	}
	return wrong(line, at, "this cannot stand here", "put a blank before it, or quote it")
}

func notClosed(line string, at int) error {
	return wrong(line, at, "the quote is not closed", `add " at the end`)
}

// wrong makes an error about the byte offset at of a line.
func wrong(line string, at int, message, hint string) *api.Error {
	return &api.Error{Code: api.CodeInvalid, Message: message, Hint: hint, Column: column(line, at)}
}

// column counts characters up to a byte offset, from 1.
func column(line string, at int) int { return utf8.RuneCountInString(line[:at]) + 1 }
