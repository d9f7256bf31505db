package radar

import (
	"context"
	"time"
)

// askAtOnce bounds the questions under way at the same time from one asker.
const askAtOnce = 64

// Answer is what one member said, or why it could not.
type Answer[T any] struct {
	Member Member
	Value  T
	Err    error
}

// Ask puts a question to every member at once and returns when all have answered, or after wait. Members
// whose answer did not come in time are in silent; their questions are cancelled. An error is an answer,
// unless it came from the question being cancelled. Order is that of members.
func Ask[T any](ctx context.Context, members []Member, wait time.Duration,
	ask func(context.Context, Member) (T, error)) (answers []Answer[T], silent []Member) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	type indexed struct {
		n int
		Answer[T]
	}
	// The channel has room for all, so that a late answer never holds its goroutine.
	got := make(chan indexed, len(members))
	slots := make(chan struct{}, askAtOnce)
	for n, m := range members {
		go func() {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			v, err := ask(ctx, m)
			<-slots
			got <- indexed{n, Answer[T]{m, v, err}}
		}()
	}
	in := make([]*Answer[T], len(members))
	for range members {
		select {
		case a := <-got:
			if a.Err == nil || ctx.Err() == nil {
				in[a.n] = &a.Answer
			}
			continue
		case <-ctx.Done():
		}
		break
	}
	for n, a := range in {
		if a == nil {
			silent = append(silent, members[n])
		} else {
			answers = append(answers, *a)
		}
	}
	return answers, silent
}
