// Command claviger keeps the provider's key on the server and stands between
// browsers and the provider.
package main

import (
	"context"
	"os"

	"claviger.dev/claviger/app"
)

func main() {
	os.Exit(app.Main(context.Background(), os.Args[1:], app.OS()))
}
