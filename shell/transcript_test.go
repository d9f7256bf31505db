package shell

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/engine/api/apitest"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// The files in testdata are what a person sees who types line after line without a terminal:
//
//	# a remark
//	% hold                    something happens to the constellation, or the person becomes another
//	$ create web-1 from:tiny  a line is typed
//	what Out gets
//	! what Err gets
//	[exit 8]                  unless it is 0
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			after := replay(t, string(before))
			if *update {
				if err := os.WriteFile(file, []byte(after), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if after != string(before) {
				t.Errorf("it went otherwise; go test -update writes this:\n%s", after)
			}
		})
	}
}

// replay does what a transcript says and writes down what comes of it.
func replay(t *testing.T, script string) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := apitest.New()
	defer c.Close()
	var b strings.Builder
	var svc api.Service = c
	input := ""
	for _, line := range strings.Split(script, "\n") {
		kind, rest, _ := strings.Cut(line, " ")
		switch kind {
		case "#":
			fmt.Fprintln(&b, line)
		case "%":
			fmt.Fprintln(&b, line)
			switch what, how, _ := strings.Cut(rest, " "); what {
			case "as":
				svc = c.As(how, "s1")
			case "input": // of the next line, \n where one of its lines ends
				input = strings.ReplaceAll(how, `\n`, "\n")
			default:
				happen(t, c, rest)
			}
		case "$":
			fmt.Fprintln(&b, line)
			var out, errs bytes.Buffer
			code := Run(ctx, svc, rest, Streams{In: strings.NewReader(input), Out: &out, Err: &errs}, Options{})
			input = ""
			b.Write(out.Bytes())
			for _, l := range strings.SplitAfter(errs.String(), "\n") {
				if l != "" {
					b.WriteString("! " + l)
				}
			}
			if code != 0 {
				fmt.Fprintf(&b, "[exit %d]\n", code)
			}
		case "":
			if line == "" && rest == "" && !strings.HasSuffix(b.String(), "\n\n") && b.Len() > 0 {
				b.WriteString("\n")
			}
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func happen(t *testing.T, c *apitest.Constellation, what string) {
	verb, name, _ := strings.Cut(what, " ")
	switch verb {
	case "silence":
		c.Silence(name)
	case "fail":
		c.Fail(name)
	case "hold":
		c.Hold()
	case "release":
		c.Release()
	case "stranger":
		c.AddStranger(name, "eth2")
	case "refuse":
		c.Refuse(name, "the proof is 41 seconds old by its clock")
	case "breaklog":
		c.BreakLog(name, "entry 2 does not follow entry 1")
	case "forge":
		c.SetVerifier(func(api.Signed) error { return errors.New("another key made it") })
	case "readonly":
		until := apitest.Epoch.Add(12 * time.Hour)
		c.SetLogin(name, api.ScopeRead, "", &until)
	case "vm":
		c.AddVM(api.VM{Name: name, Satellite: "s2"})
	case "breakjob":
		c.FailJob(name, api.Errorf(api.CodeExhausted, "no space is left"))
	case "deny":
		c.FailCall(name, &api.Error{Code: api.CodeDenied, Message: "the account may not", Hint: "ask the tenant"})
	case "reach": // the last step, where a held job waits
		until(t, c, name, func(j api.Job) bool { return j.Step == "starting" })
	case "settle":
		settle(t, c, name)
	default:
		t.Fatalf("nothing is known to happen as %q", what)
	}
}

// settle waits until the job, or with no id every job, is over.
func settle(t *testing.T, c *apitest.Constellation, id string) {
	until(t, c, id, func(j api.Job) bool { return j.State.Over() })
}

// until waits until the job, or with no id every job, is as wanted.
func until(t *testing.T, c *apitest.Constellation, id string, wanted func(api.Job) bool) {
	for range 6000 {
		reply, err := c.Jobs(context.Background(), api.JobsRequest{ID: id})
		if err != nil {
			t.Fatal(err)
		}
		all := true
		for _, j := range reply.Jobs {
			all = all && wanted(j)
		}
		if all {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("the jobs do not come so far")
}
