package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"decenter/engine/api"
)

// Record is a job with its plan: what a restarted engine needs to know to finish it or to undo it.
type Record struct {
	Job  api.Job         `json:"job"`
	Plan json.RawMessage `json:"plan,omitempty"`
}

// Journal is the file of jobs. Every change is on disk (fsync) before its call returns.
//
//	bucket "running"    job id → Record       begun, not ended; or failed, and something is left of it
//	bucket "finished"   end time and id → api.Job, the newest keepFinished
type Journal struct{ db *bbolt.DB }

var (
	running  = []byte("running")
	finished = []byte("finished")
)

const (
	keepFinished = 200
	lockWait     = 5 * time.Second
)

// OpenJournal opens or makes the file. Only one engine at a time can: a second one fails after lockWait.
func OpenJournal(path string) (*Journal, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is in use: is another engine running on this data folder?", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{running, finished} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the journal: %w", err), db.Close())
	}
	return &Journal{db}, nil
}

// Close ends the use of the file.
func (j *Journal) Close() error { return j.db.Close() }

// Begin writes that the job starts. Nothing of the job may be done before it returned.
func (j *Journal) Begin(r Record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return j.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(running).Put([]byte(r.Job.ID), text) })
}

// End writes how the job ended and forgets its plan.
func (j *Journal) End(job api.Job) error {
	return j.db.Update(func(tx *bbolt.Tx) error {
		return errors.Join(tx.Bucket(running).Delete([]byte(job.ID)), finish(tx, job))
	})
}

// EndLeft writes how the job ended and keeps its plan until Forget.
func (j *Journal) EndLeft(job api.Job) error {
	return j.db.Update(func(tx *bbolt.Tx) error {
		var r Record
		if err := json.Unmarshal(tx.Bucket(running).Get([]byte(job.ID)), &r); err != nil {
			return fmt.Errorf("job %s: %w", job.ID, err)
		}
		r.Job = job
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		return errors.Join(tx.Bucket(running).Put([]byte(job.ID), text), finish(tx, job))
	})
}

// Forget drops the plan of a job that ended by EndLeft, once nothing is left of it.
func (j *Journal) Forget(id string) error {
	return j.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(running).Delete([]byte(id)) })
}

// finish adds a job to the finished ones, of which the newest stay.
func finish(tx *bbolt.Tx, job api.Job) error {
	text, err := json.Marshal(job)
	if err != nil {
		return err
	}
	b := tx.Bucket(finished)
	ended := job.Started
	if job.Ended != nil {
		ended = *job.Ended
	}
	// Keys sort by time, so that the oldest are the first.
	key := fmt.Sprintf("%020d %s", ended.UnixNano(), job.ID)
	if err := b.Put([]byte(key), text); err != nil {
		return err
	}
	c := b.Cursor()
	for n := count(b); n > keepFinished; n-- {
		if k, _ := c.First(); k != nil {
			if err := c.Delete(); err != nil {
				return err
			}
		}
	}
	return nil
}

func count(b *bbolt.Bucket) (n int) {
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		n++
	}
	return n
}

// Running lists the jobs that began and did not end, those an earlier engine was killed in, and those of EndLeft, whose
// state is over.
func (j *Journal) Running() ([]Record, error) {
	var all []Record
	err := j.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(running).ForEach(func(k, v []byte) error {
			var r Record
			if err := json.Unmarshal(v, &r); err != nil {
				return fmt.Errorf("journal, job %s: %w", k, err)
			}
			all = append(all, r)
			return nil
		})
	})
	slices.SortFunc(all, func(a, b Record) int { return a.Job.Started.Compare(b.Job.Started) })
	return all, err
}

// Finished lists the last jobs that ended, newest first.
func (j *Journal) Finished() ([]api.Job, error) {
	var all []api.Job
	err := j.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(finished).ForEach(func(k, v []byte) error {
			var job api.Job
			if err := json.Unmarshal(v, &job); err != nil {
				return fmt.Errorf("journal, entry %s: %w", k, err)
			}
			all = append(all, job)
			return nil
		})
	})
	slices.Reverse(all)
	return all, err
}
