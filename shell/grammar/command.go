package grammar

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"decenter/engine/api"
)

// Command is a line that means something.
type Command struct {
	Verb  *Verb // of the table; never nil
	Words []Text
	Args  []Arg
	Flags []string // of Flags, each once

	line string
}

// Arg is a key with values, each in the form of requests: sizes in bytes, times in milliseconds.
type Arg struct {
	Key    *Key
	Not    bool
	Op     api.Op
	Values []Text
	At     int // byte offset in the line
}

// Word gives the i-th word, or nothing.
func (c Command) Word(i int) string {
	if i >= len(c.Words) {
		return ""
	}
	return c.Words[i].Value
}

// Text gives the value of a key that is given once, or nothing.
func (c Command) Text(key string) string {
	for _, a := range c.Args {
		if a.Key.Name == key {
			return a.Values[0].Value
		}
	}
	return ""
}

// Number gives the value of a counting key, 0 where it is not given. Parse has checked the digits.
func (c Command) Number(key string) uint64 {
	n, _ := strconv.ParseUint(c.Text(key), 10, 64)
	return n
}

// Duration gives the value of a key that is a time, 0 where it is not given.
func (c Command) Duration(key string) time.Duration {
	return time.Duration(c.Number(key)) * time.Millisecond
}

// Yes tells whether a key says yes.
func (c Command) Yes(key string) bool { return c.Text(key) == "yes" }

// Flag tells whether a flag is set.
func (c Command) Flag(name string) bool { return slices.Contains(c.Flags, name) }

// Detach tells whether the line asks not to wait.
func (c Command) Detach() bool { return c.Flag(FlagDetach) || c.Yes(KeyDetach) }

// Query is what a search asks.
func (c Command) Query() api.Query {
	var q api.Query
	for _, w := range c.Words {
		q.Words = append(q.Words, w.Value)
	}
	for _, a := range c.Args {
		f := api.Filter{Key: a.Key.Name, Op: a.Op, Not: a.Not}
		for _, v := range a.Values {
			f.Values = append(f.Values, v.Value)
		}
		q.Filters = append(q.Filters, f)
	}
	return q
}

// Create is what the verb create asks.
func (c Command) Create() api.CreateRequest {
	return api.CreateRequest{
		Name: c.Word(0), From: c.Text(api.KeyFrom), CPU: int(c.Number(api.KeyCPU)), Memory: c.Number(api.KeyMemory),
		Disk: c.Number(KeyDisk), Satellite: c.Text(api.KeySatellite), Stopped: c.Yes(KeyStopped),
	}
}

// Control is what the verbs with an Act ask.
func (c Command) Control() api.ControlRequest {
	return api.ControlRequest{VM: c.Word(0), Act: c.Verb.Act, Force: c.Yes(KeyForce)}
}

// Delete is what the verb delete asks.
func (c Command) Delete() api.DeleteRequest {
	return api.DeleteRequest{VM: c.Word(0), Confirm: c.Text(KeyConfirm)}
}

// TreePriority is what the verb tree asks with words; sets is false where it only wants to know.
func (c Command) TreePriority() (r api.TreePriorityRequest, sets bool) {
	r.Satellite = c.Word(1)
	if n, err := strconv.Atoi(c.Word(2)); err == nil {
		r.Priority = &n
	}
	return r, c.Word(2) != ""
}

// IsID tells whether a reference to a VM is its id.
func IsID(ref string) bool { return idForm.MatchString(ref) }

// IsFingerprint tells whether a reference to a satellite is its fingerprint.
func IsFingerprint(ref string) bool { return strings.HasPrefix(ref, "SHA256:") }

// String writes the command as a line that parses to it.
func (c Command) String() string {
	if c.Verb.Name != "" || len(c.Words) == 0 {
		return c.write(word)
	}
	if !c.Words[0].Quoted {
		// Words come first here, which can put one where it is, or looks like, a verb.
		s := c.write(word)
		if again, err := Parse(s); err == nil && again.Verb == c.Verb {
			return s
		}
	}
	return c.write(quoted)
}

// write is String with the first word written by first.
func (c Command) write(first func(string) string) string {
	var terms []string
	if c.Verb.Name != "" {
		terms = append(terms, c.Verb.Name)
	}
	for i, w := range c.Words {
		if i == 0 {
			terms = append(terms, first(w.Value))
		} else {
			terms = append(terms, word(w.Value))
		}
	}
	for _, a := range c.Args {
		terms = append(terms, a.String())
	}
	for _, f := range c.Flags {
		terms = append(terms, "--"+f)
	}
	return strings.Join(terms, " ")
}

// String writes the term.
func (a Arg) String() string {
	s := a.Key.Name + ":" + string(a.Op)
	if a.Not {
		s = "-" + s
	}
	for i, v := range a.Values {
		if i > 0 {
			s += ","
		}
		switch a.Key.Type {
		case TypeSize:
			n, _ := strconv.ParseUint(v.Value, 10, 64)
			s += FormatSize(n)
		case TypeDuration:
			s += v.Value + "ms"
		default:
			s += value(v.Value)
		}
	}
	return s
}
