// Command pause is the first process of every pod: it holds the pod's namespaces open, does nothing
// until it is told to end, and so stands in for the image of that name, which lies in a registry only.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	signal.Ignore(syscall.SIGCHLD) // orphans of the pod are reaped by the kernel
	<-end
}
