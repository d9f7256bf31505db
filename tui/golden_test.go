package tui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"decenter/engine/api"

	_ "github.com/charmbracelet/x/exp/teatest/v2" // brings the flag -update
)

// screens are the states that are compared with what is kept in testdata/golden, at each size.
var screens = []struct {
	name string
	make func(m *Model)
}{
	{"home", func(*Model) {}},
	{"results", func(m *Model) { press(m, "web"); answer(m, testItems(40), "s2") }},
	{"selected", func(m *Model) { press(m, "web"); answer(m, mixedItems()); press(m, "<down><down>") }},
	{"nothing", func(m *Model) { press(m, "zzz"); answer(m, nil) }},
	{"vm", func(m *Model) { openVM(m); m.page().(*vmPage).meter.values = []float64{0, .2, .5, .9, 1, .4} }},
	{"vm-stop", func(m *Model) { openVM(m); press(m, "<f4>") }},
	{"jobs", func(m *Model) {
		press(m, "jobs<enter>")
		answerPage(m, api.JobsReply{Jobs: testJobs()})
		press(m, "<down>")
	}},
	{"watch", func(m *Model) {
		press(m, "watch 3f9a<enter>")
		answerPage(m, api.JobsReply{Jobs: testJobs()[:1]})
	}},
	{"satellites", func(m *Model) {
		press(m, "satellites<enter>")
		answerPage(m, api.SatellitesReply{Satellites: testSatellites()})
	}},
	{"tree", func(m *Model) { press(m, "tree<enter>"); answerPage(m, testTree()) }},
	{"console", func(m *Model) {
		press(m, "console web-1<enter>")
		m.Update(consoleMsg{to: m.page().(*consolePage), data: []byte("boot\r\n\x1b[32mok\x1b[0m\r\nlogin: ")})
	}},
	{"error", func(m *Model) { press(m, "vm sta!e<enter>") }},
	{"confirm", func(m *Model) { press(m, "delete web-1<enter>web-2<enter>") }},
	{"working", func(m *Model) {
		press(m, "create web-9<enter>")
		m.Update(actedMsg{seq: m.act.seq, outcome: Outcome{Job: &testJobs()[0]}})
	}},
	{"offers", func(m *Model) { press(m, "c<tab>") }},
	{"help", func(m *Model) { press(m, "<f1>"); answerPage(m, Outcome{Text: strings.Repeat("a line of help\n", 60)}) }},
}

func openVM(m *Model) {
	press(m, "web-0")
	answer(m, testItems(1))
	press(m, "<down><enter>")
	v := testVM(0)
	answerPage(m, v)
}

func mixedItems() []api.Item {
	sat, job := testSatellites()[0], testJobs()[0]
	suit := api.Spacesuit{Name: "webby", Satellite: "s3", Size: 8 << 30, Allocated: 1 << 30, Created: testNow.AddDate(0, -1, 0)}
	return append(testItems(3),
		api.Item{Kind: api.KindSpacesuit, Name: suit.Name, Satellite: suit.Satellite, Spacesuit: &suit},
		api.Item{Kind: api.KindSatellite, Name: sat.Name, State: string(sat.State), Satellite: sat.Name, Node: &sat},
		api.Item{Kind: api.KindJob, Name: job.ID, State: string(job.State), Satellite: job.Satellite, Job: &job})
}

var sizes = [][2]int{{20, 5}, {60, 16}, {80, 24}, {200, 50}}

func TestGoldenScreens(t *testing.T) {
	update := flag.Lookup("update").Value.String() == "true"
	for _, s := range screens {
		for _, size := range sizes {
			name := fmt.Sprintf("%s-%dx%d", s.name, size[0], size[1])
			t.Run(name, func(t *testing.T) {
				m := ready(t, size[0], size[1])
				s.make(m)
				v := m.View()
				if bad := checkFrame(v.Content, size[0], size[1]); bad != "" {
					t.Error(bad)
				}
				var got strings.Builder
				for line := range strings.Lines(ansi.Strip(v.Content) + "\n") {
					got.WriteString(strings.TrimRight(line, " \n") + "\n")
				}
				if v.Cursor != nil {
					fmt.Fprintf(&got, "[cursor %d,%d]\n", v.Cursor.X, v.Cursor.Y)
				}
				path := filepath.Join("testdata", "golden", name+".txt")
				if update {
					if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if got.String() != string(want) {
					t.Errorf("got\n%s\nwant\n%s(go test ./tui -update takes the new screens)", got.String(), want)
				}
			})
		}
	}
}
