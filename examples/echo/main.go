// Command echo is the demo application on Echo.
package main

import "fmt"

func main() {
	fmt.Println("The demo application comes here.")
}
