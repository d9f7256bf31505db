// Package apitest is a constellation in memory: an api.Service for the tests of whatever speaks engine/api.
//
// It keeps the contract of engine/api where a caller can see it: jobs with steps, cancellation that undoes,
// events in order with EventLost for a slow reader, partial answers with the names of silent satellites,
// confirmed deletion, and a serial line that several may hold open. It has no network, no disk and no guest.
//
//	c := apitest.New("s1", "s2")   // the spacesuit "tiny" lies on each
//	defer c.Close()
//	c.AddVM(api.VM{Name: "web-1", Satellite: "s2"})
//	c.Silence("s2")                // searches now name s2 as silent
//	c.Hold()                       // jobs stop before their last step …
//	c.Release()                    // … until now
//
// A job of a VM goes through these states:
//
//	          ┌─ (held) ─┐
//	running ──┴──────────┴─▶ done
//	   │ └─ FailJob ───────▶ failed      what was done is undone
//	   └─── Cancel ────────▶ cancelled   what was done is undone
//
// Its clock is its own: it begins at Epoch and moves a second when a VM is made and when a job begins or ends,
// so that tests compare text.
// Production code never imports this package.
package apitest
