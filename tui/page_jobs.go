package tui

import (
	"context"
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// jobsPage lists jobs, newest first.
type jobsPage struct {
	pageBase
	jobs []api.Job
}

func (p *jobsPage) command() string    { return "jobs" }
func (p *jobsPage) every() int         { return 5 }
func (p *jobsPage) rows() (*list, int) { return &p.lst, len(p.jobs) }

func (p *jobsPage) load(m *Model) tea.Cmd {
	svc := m.svc
	return m.ask(p, func(ctx context.Context) (any, error) { return svc.Jobs(ctx, api.JobsRequest{}) })
}

func (p *jobsPage) answer(m *Model, v any) {
	r := v.(api.JobsReply)
	m.silent, p.refused = r.Silent, r.Refused
	var was string
	if p.lst.sel >= 0 && p.lst.sel < len(p.jobs) {
		was = p.jobs[p.lst.sel].ID
	}
	p.jobs, p.lst.sel = r.Jobs, -1
	for i := range p.jobs {
		if p.jobs[i].ID == was {
			p.lst.sel = i
		}
	}
}

func (p *jobsPage) event(_ *Model, e api.Event) {
	if e.Job == nil {
		return
	}
	for i := range p.jobs {
		if p.jobs[i].ID == e.Job.ID {
			p.jobs[i] = *e.Job
			return
		}
	}
	p.jobs = append([]api.Job{*e.Job}, p.jobs...)
	if p.lst.sel >= 0 {
		p.lst.sel++
	}
}

func (p *jobsPage) enter(m *Model) tea.Cmd {
	if p.lst.sel < 0 || p.lst.sel >= len(p.jobs) {
		return nil
	}
	return m.open(&watchPage{id: p.jobs[p.lst.sel].ID})
}

var jobColumns = []column{
	{title: "JOB", min: 8, max: 8},
	{title: "DOES", min: 8, max: 40},
	{title: "STATE", min: 11, max: 11, drop: 1},
	{title: "PROGRESS", min: 10, max: 20, drop: 2},
	{title: "SATELLITE", min: 9, max: 16, drop: 3},
	{title: "STEP", min: 10, max: 48, drop: 4},
	{title: "AGE", min: 4, max: 4, right: true, drop: 5},
}

func (p *jobsPage) draw(m *Model, w, h int) []string {
	if !p.ready {
		return p.waiting(m)
	}
	out := m.refusedLines(p.refused, w, h)
	if h -= len(out); len(p.jobs) == 0 {
		return append(out, m.theme.dim.Render("no jobs"))
	}
	var why []string
	if i := p.lst.sel; i >= 0 && i < len(p.jobs) && p.jobs[i].Error != "" && h > 2*reasonLines {
		why = append([]string{""}, wrap(p.jobs[i].Error, w, reasonLines)...)
	}
	out = append(out, p.lst.draw(m.theme, jobColumns, len(p.jobs), w, h-len(why), func(i int) []field {
		j := &p.jobs[i]
		state, style := m.theme.jobState(j.State)
		step := j.Step
		if j.Error != "" {
			step = j.Error
		}
		t := m.theme
		return []field{
			{j.ID, t.plain}, {j.Verb + " " + j.Object, t.plain}, {state, style}, {progress(j, 5), t.plain},
			{j.Satellite, t.plain}, {step, t.dim}, {age(m.opt.Now(), j.Started), t.dim},
		}
	})...)
	return append(out, why...)
}

// progress draws how far a job is.
func progress(j *api.Job, w int) string {
	switch {
	case j.State == api.JobDone:
		return bar(1, 1, w) + " 100%"
	case j.Total == 0:
		return ""
	}
	part := min(float64(j.Done)/float64(j.Total), 1)
	return fmt.Sprintf("%s %3.0f%%", bar(part, 1, w), part*100)
}

// amount writes done and total: bytes where they are large, else steps.
func amount(j *api.Job) string {
	const largest = 10_000 // no job has so many steps
	if j.Total > largest {
		return size(j.Done) + " of " + size(j.Total)
	}
	return fmt.Sprintf("step %d of %d", j.Done, j.Total)
}

// follow is a job and what was seen of its speed, by this machine's clock alone: the job's own times are of
// another machine's.
type follow struct {
	job   api.Job
	first uint64 // done when it was first seen
	at    time.Time
}

// set takes a newer state.
func (f *follow) set(j api.Job, now time.Time) {
	if f.at.IsZero() || f.job.ID != j.ID || j.Total != f.job.Total {
		f.first, f.at = j.Done, now
	}
	f.job = j
}

// left tells how long the job still takes if it goes on as so far; empty where that is not known.
func (f *follow) left(now time.Time) string {
	j, passed := &f.job, now.Sub(f.at)
	if j.State.Over() || f.at.IsZero() || j.Done <= f.first || j.Done >= j.Total || passed < heartbeat {
		return ""
	}
	return seconds(time.Duration(float64(passed)*float64(j.Total-j.Done)/float64(j.Done-f.first))) + " left"
}

// took is how long a job ran, or runs already.
func took(j *api.Job, now time.Time) time.Duration {
	if j.Ended != nil {
		now = *j.Ended
	}
	return max(0, now.Sub(j.Started))
}

// reasonLines bounds a failed job's reason beside other things; its own page has all of it.
const reasonLines = 4

// jobLine is a job on one line, without the reason of one that failed.
func (m *Model) jobLine(f *follow) string {
	j := &f.job
	state, style := m.theme.jobState(j.State)
	line := style.Render(state) + m.theme.dim.Render("  job ") + clean(j.ID) + "  "
	now := m.opt.Now()
	switch {
	case j.State.Over():
		return line + "in " + seconds(took(j, now))
	}
	if j.Total > 0 {
		line += progress(j, 12) + "  "
	}
	return line + m.theme.dim.Render(clean(j.Step+"  "+f.left(now)))
}

func (m *Model) jobBody(f *follow, w, h int) []string {
	j := &f.job
	state, style := m.theme.jobState(j.State)
	now := m.opt.Now()
	var out []string
	add := func(name, value string) { out = append(out, m.label(name)+cut(clean(value), max(1, w-12))) }
	out = append(out, m.theme.name.Render(clean(j.Verb+" "+j.Object))+"  "+style.Render(state)+m.theme.dim.Render(" on ")+clean(j.Satellite))
	if j.Total > 0 {
		add("progress", progress(j, max(4, min(40, w-24)))+"  "+amount(j))
	}
	if !j.State.Over() {
		add("now", j.Step)
		if l := f.left(now); l != "" {
			add("time", l)
		}
	}
	if j.Error != "" {
		for i, l := range wrap(j.Error, w-12, max(1, h-4)) {
			name := "why"
			if i > 0 {
				name = ""
			}
			add(name, l)
		}
	}
	add("took", seconds(took(j, now)))
	add("began", j.Started.UTC().Format("2006-01-02 15:04:05")+" UTC, by "+j.Account)
	add("job", j.ID)
	return out[:min(len(out), h)]
}

// watchPage follows one job.
type watchPage struct {
	pageBase
	id  string // whole, or its beginning
	job follow
}

func (p *watchPage) command() string { return "watch " + word(p.id) }
func (p *watchPage) every() int      { return 2 }

func (p *watchPage) load(m *Model) tea.Cmd {
	if p.ready && p.job.job.State.Over() {
		return nil
	}
	svc, id := m.svc, p.id
	return m.ask(p, func(ctx context.Context) (any, error) { return svc.Jobs(ctx, api.JobsRequest{ID: id}) })
}

func (p *watchPage) answer(m *Model, v any) {
	r := v.(api.JobsReply)
	m.silent, p.refused = r.Silent, r.Refused
	if len(r.Jobs) == 0 {
		p.ready, p.err = false, api.Errorf(api.CodeNotFound, "no job %q", p.id)
		return
	}
	p.job.set(r.Jobs[0], m.opt.Now())
	p.id = p.job.job.ID
}

func (p *watchPage) event(m *Model, e api.Event) {
	if e.Job != nil && e.Job.ID == p.id {
		p.job.set(*e.Job, m.opt.Now())
		p.ready, p.err = true, nil
	}
}

func (p *watchPage) draw(m *Model, w, h int) []string {
	if !p.ready {
		return p.waiting(m)
	}
	return m.jobBody(&p.job, w, h)
}
