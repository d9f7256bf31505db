package output

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"decenter/engine/api"
	"decenter/shell/grammar"
)

// Printer writes answers. The zero value but for W writes plain text of any width.
type Printer struct {
	W      io.Writer
	Width  int  // of the screen, in columns; 0: no limit
	Colour bool // the screen wants colours
	JSON   bool // one object per line instead of text
}

// objects writes each value as a line of JSON (RFC 8259), without escaping < and >.
func objects[T any](w io.Writer, values []T) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	return nil
}

func (p Printer) table(t *table) error {
	_, err := io.WriteString(p.W, t.layout(p.Width, p.Colour))
	return err
}

// Text writes a text that is no table, such as help, or value as JSON.
func (p Printer) Text(s string, value any) error {
	if p.JSON {
		return objects(p.W, []any{value})
	}
	_, err := io.WriteString(p.W, s)
	return err
}

// Verbs writes the grammar's table, as JSON.
func (p Printer) Verbs(verbs []grammar.Verb) error { return objects(p.W, verbs) }

// Items writes what a search found: nothing for none, not even headings.
func (p Printer) Items(items []api.Item) error {
	if p.JSON {
		return objects(p.W, items)
	}
	if len(items) == 0 {
		return nil
	}
	t := newTable("KIND", "NAME", "STATE", "SATELLITE", "CPU", "MEMORY", "ABOUT")
	for _, i := range items {
		cpu, memory, about := facts(i)
		t.add(text(string(i.Kind)), text(i.Name), state(i.State), text(i.Satellite), text(cpu), text(memory), text(about))
	}
	return p.table(t)
}

// facts are what an item has under CPU, MEMORY and ABOUT.
func facts(i api.Item) (cpu, memory, about string) {
	switch {
	case i.VM != nil:
		about = "from " + i.VM.From
		for _, n := range i.VM.NICs {
			if len(n.Addresses) > 0 {
				about = n.Addresses[0]
				break
			}
		}
		return strconv.Itoa(i.VM.CPU), Size(i.VM.Memory), about
	case i.Spacesuit != nil:
		return "", "", "disk " + Size(i.Spacesuit.Size)
	case i.Node != nil:
		return strconv.Itoa(i.Node.CPUs), Size(i.Node.Memory), i.Node.Address
	case i.Job != nil:
		return "", "", i.Job.Verb + " " + i.Job.Object
	}
	return "", "", ""
}

// Jobs writes jobs: nothing for none, not even headings.
func (p Printer) Jobs(jobs []api.Job) error {
	if p.JSON {
		return objects(p.W, jobs)
	}
	if len(jobs) == 0 {
		return nil
	}
	t := newTable("JOB", "STATE", "VERB", "OBJECT", "SATELLITE", "STARTED (UTC)", "PROGRESS")
	for _, j := range jobs {
		t.add(text(j.ID), state(string(j.State)), text(j.Verb), text(j.Object), text(j.Satellite),
			text(j.Started.UTC().Format("01-02 15:04:05")), text(cmp.Or(j.Error, progress(j))))
	}
	return p.table(t)
}

// Satellites writes the constellation. A screen of fewer than 120 columns does not get the fingerprints.
func (p Printer) Satellites(nodes []api.Satellite) error {
	if p.JSON {
		return objects(p.W, nodes)
	}
	t := newTable("SATELLITE", "STATE", "ADDRESS", "VMS", "RUNNING", "CPUS", "LOAD", "MEMORY", "FREE", "RUNS BY", "FINGERPRINT")
	for _, n := range nodes {
		row := []cell{text(n.Name), state(string(n.State)), text(n.Address), text(strconv.Itoa(n.VMs)), text(strconv.Itoa(n.Running)),
			text(strconv.Itoa(n.CPUs)), text(strconv.FormatFloat(n.Load, 'f', 2, 64)), text(Size(n.Memory)), text(Size(n.MemoryFree)), text(n.Accel), kept(n.ID)}
		if n.State == api.SatelliteStranger { // nothing is known of it but its MAC and port
			row = append(row[:3], make([]cell, len(row)-3)...)
		}
		t.add(row...)
	}
	switch {
	case p.narrow():
		t = t.without("FINGERPRINT")
	case p.Width > 0 && t.natural() > p.Width:
		t = t.without("RUNNING", "CPUS", "MEMORY", "RUNS BY")
	}
	return p.table(t)
}

// Started writes the job that a line began: as the first line of JSON, else as a line on w.
func (p Printer) Started(w io.Writer, j api.Job) error {
	if p.JSON {
		return objects(p.W, []api.Job{j})
	}
	_, err := fmt.Fprintf(w, "job %s: %s %s on %s\n", Clean(j.ID), Clean(j.Verb), Clean(j.Object), Clean(j.Satellite))
	return err
}

// Done writes how a job ended well.
func (p Printer) Done(j api.Job) error {
	if p.JSON {
		return objects(p.W, []api.Job{j})
	}
	s := fmt.Sprintf("%s %s on %s: done", Clean(j.Verb), Clean(j.Object), Clean(j.Satellite))
	if j.Ended != nil {
		s += " in " + seconds(j.Ended.Sub(j.Started))
	}
	_, err := io.WriteString(p.W, s+"\n")
	return err
}

// Progress is one line about a job under way, at a time.
func Progress(j api.Job, now time.Time) string {
	s := fmt.Sprintf("%s %s: %s", j.Verb, j.Object, progress(j))
	if left, ok := left(j, now); ok {
		s += ", " + seconds(left) + " left"
	}
	return Clean(s)
}

func progress(j api.Job) string {
	parts := []string{}
	if j.Step != "" {
		parts = append(parts, j.Step)
	}
	if j.Total > 0 && !j.State.Over() {
		parts = append(parts, fmt.Sprintf("%s of %s (%d%%)", amount(j.Done, j.Total), amount(j.Total, j.Total), percent(j.Done, j.Total)))
	}
	return strings.Join(parts, ", ")
}

// amount shows bytes, or steps: a total below 1,024 counts steps.
func amount(n, total uint64) string {
	if total < 1024 {
		return strconv.FormatUint(n, 10)
	}
	return Size(n)
}

func percent(done, total uint64) int { return int(min(float64(done)/float64(total), 1) * 100) }

// left is how long a job will take at its pace so far.
func left(j api.Job, now time.Time) (time.Duration, bool) {
	spent := now.Sub(j.Started)
	if j.Done == 0 || j.Done >= j.Total || spent < time.Second {
		return 0, false
	}
	return time.Duration(float64(spent) * float64(j.Total-j.Done) / float64(j.Done)), true
}

func seconds(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", max(d, 0).Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}

// Size shows bytes for a person, rounded to one decimal.
func Size(n uint64) string {
	f, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if f < 1024 {
			break
		}
		f, unit = f/1024, u
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0") + unit
}

// state colours a state's word.
func state(s string) cell {
	style := plain
	switch s {
	case string(api.StateRunning), string(api.SatelliteLive), string(api.JobDone):
		style = green
	case string(api.StateCrashed), string(api.SatelliteFailed):
		style = red
	case string(api.StateCreating), string(api.StateDeleting), string(api.StatePaused), string(api.SatelliteSilent), string(api.SatelliteStranger):
		style = yellow
	case string(api.StateStopped), string(api.SatelliteLeft), string(api.JobCancelled):
		style = dim
	}
	return cell{text: s, style: style}
}

// Silent is the line about satellites that did not answer; empty for none.
func Silent(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return Clean(strings.Join(names, ", ")) + " did not answer\n"
}
