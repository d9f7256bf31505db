package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"decenter/engine/api"
	"decenter/engine/lab"
	"decenter/engine/rpc"
	"decenter/shell"
)

// labCommand is `decenter lab`.
func labCommand(ctx context.Context, args []string, s shell.Streams) int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(s.Err, "decenter lab:", err)
		return api.ExitFailed
	}
	return lab.Main(ctx, args, lab.Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Binary: self, Ready: engineReady, Accel: labAccel,
		Console: func(ctx context.Context, socket string) int { return labConsole(ctx, socket, s) }})
}

// engineReady returns when the engine behind a socket answers.
func engineReady(ctx context.Context, socket string) error {
	client := rpc.DialUnix(socket)
	defer client.Close()
	for {
		_, err := client.Hello(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// labConsole opens a satellite's console, or lines where there is no terminal.
func labConsole(ctx context.Context, socket string, s shell.Streams) int {
	return shell.Main(ctx, nil, shell.Program{Name: "decenter", Version: buildVersion(),
		Dial:    func(context.Context) (api.Service, error) { return dial(socket) },
		Console: func(ctx context.Context, svc api.Service) int { return console(ctx, svc, os.Stdin, os.Stdout) }}, s)
}
