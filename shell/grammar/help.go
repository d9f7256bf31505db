package grammar

import (
	"fmt"
	"strings"
)

// helpWidth is the width of every help text, in characters.
const helpWidth = 78

// Overview tells every verb in a line.
func Overview() string {
	var b strings.Builder
	b.WriteString("[verb] words… key:value key:>=value -key:value \"quoted words\"\n")
	b.WriteString("Without a verb: search. key:a,b means either, -key:value means not.\n\n")
	for _, v := range verbs[1:] {
		fmt.Fprintf(&b, "  %-12s%s\n", v.Name, v.Summary)
	}
	b.WriteString("\n")
	for _, f := range Flags() {
		fmt.Fprintf(&b, "  %-12s%s\n", "--"+f.Name, f.Meaning)
	}
	b.WriteString("\nhelp VERB tells more; help search tells how to find.\n")
	return b.String()
}

// Help tells all about a verb.
func (v *Verb) Help() string {
	var b strings.Builder
	b.WriteString(wrap(v.Usage(), "", "    "))
	b.WriteString("\n" + wrap(sentence(v.Summary)+" "+v.Detail, "", ""))
	if len(v.Keys) > 0 || len(v.told()) > 0 {
		b.WriteString("\n")
	}
	for _, p := range v.told() {
		b.WriteString(wrap(p.Type.Meaning(), fmt.Sprintf("  %-22s", p.Name), strings.Repeat(" ", 24)))
	}
	for _, k := range v.Keys {
		head := fmt.Sprintf("  %-22s", k.Name+":"+k.Type.Placeholder())
		b.WriteString(wrap(k.explain(), head, strings.Repeat(" ", 24)))
	}
	b.WriteString("\n")
	for _, e := range v.Examples {
		head := fmt.Sprintf("  %-*s", v.widest()+2, e.Line)
		b.WriteString(wrap(e.Meaning, head, strings.Repeat(" ", v.widest()+4)))
	}
	return b.String()
}

// told are the words whose form is worth a line of help: not the names.
func (v *Verb) told() []Param {
	var told []Param
	for _, p := range v.Params {
		if p.Type.trustMeaning() != "" {
			told = append(told, p)
		}
	}
	return told
}

// widest is the length of the longest example, all of which are ASCII.
func (v *Verb) widest() int {
	n := 0
	for _, e := range v.Examples {
		n = max(n, len(e.Line))
	}
	return n
}

// explain tells what a key means and takes.
func (k *Key) explain() string {
	s := k.Meaning
	if k.Required {
		s += "; needed"
	}
	if k.Type != TypeYesNo && k.Type != TypeName {
		s += " (" + k.Type.Meaning() + ")"
	}
	return s
}

// sentence makes one of a phrase.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

// wrap breaks a text at blanks into lines of at most helpWidth, the first beginning with head, the rest with indent.
func wrap(text, head, indent string) string {
	var b strings.Builder
	line, empty := head, true
	for _, w := range strings.Fields(text) {
		if !empty && len([]rune(line))+1+len([]rune(w)) > helpWidth {
			b.WriteString(line + "\n")
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+w, false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	return b.String()
}

// Reference writes REFERENCE.md.
func Reference() string {
	var b strings.Builder
	b.WriteString("<!-- Made from the table of shell/grammar by go generate; do not edit. -->\n\n")
	b.WriteString("# What can be asked\n\n")
	b.WriteString("The search box, `ssh ACCOUNT@satellite '…'` and `decenter …` take the same lines:\n\n")
	b.WriteString("    [verb] words… key:value key:>=value -key:value \"quoted words\"\n\n")
	b.WriteString("Without a verb a line is a search. A first word is a verb exactly when it is listed here and stands without quotes.\n\n")
	b.WriteString("| verb | |\n| --- | --- |\n")
	for i := range verbs {
		v := &verbs[i]
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", v.Title(), v.Title(), v.Summary)
	}
	b.WriteString("\n| flag | |\n| --- | --- |\n")
	for _, f := range Flags() {
		fmt.Fprintf(&b, "| `--%s` | %s |\n", f.Name, f.Meaning)
	}
	for i := range verbs {
		verbs[i].reference(&b)
	}
	b.WriteString("\n## Types\n\n| type | values |\n| --- | --- |\n")
	for _, t := range []Type{TypeName, TypePattern, TypeText, TypeState, TypeCount, TypeSize, TypeYesNo, TypeAddress, TypeMAC, TypeDuration, TypeJob, TypeVerb, TypeSetting, TypePriority,
		TypeFingerprint, TypeKeyOrEvery, TypeSatellite, TypeAccount, TypeRole, TypeObject, TypeStatement, TypeSignature, TypeVerdict, TypeVia, TypeSince} {
		fmt.Fprintf(&b, "| %s | %s |\n", t, t.Meaning())
	}
	b.WriteString("\n## Exit codes\n\n| code | |\n| --- | --- |\n| 0 | done |\n| 1 | failed |\n| 2 | bad usage, or cancelled |\n")
	b.WriteString("| 4 | not allowed |\n| 8 | the job is still running, or the statement waits for its signature |\n")
	return b.String()
}

func (v *Verb) reference(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n    %s\n\n%s", v.Title(), v.Usage(), sentence(v.Summary))
	if v.Detail != "" {
		b.WriteString(" " + strings.ReplaceAll(v.Detail, "*", `\*`))
	}
	b.WriteString("\n")
	if len(v.Aliases) > 0 {
		fmt.Fprintf(b, "\nThe same: `%s`.\n", strings.Join(v.Aliases, "`, `"))
	}
	for i, p := range v.told() {
		if i == 0 {
			b.WriteString("\n| word | |\n| --- | --- |\n")
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", p.Name, p.Type.Meaning())
	}
	if len(v.Keys) > 0 {
		b.WriteString("\n| key | type | |\n| --- | --- | --- |\n")
	}
	for _, k := range v.Keys {
		meaning := k.Meaning
		if k.Required {
			meaning += "; needed"
		}
		fmt.Fprintf(b, "| `%s:` | %s | %s |\n", k.Name, k.Type, meaning)
	}
	b.WriteString("\n")
	for _, e := range v.Examples {
		if e.Meaning == "" {
			fmt.Fprintf(b, "- `%s`\n", e.Line)
		} else {
			fmt.Fprintf(b, "- `%s`: %s\n", e.Line, e.Meaning)
		}
	}
}
