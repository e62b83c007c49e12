// Package recipes has the code of docs/recipes: each file is one recipe in
// every framework. The pages show the regions between //recipe:name and
// //recipe:end; "go test -run TestPages -update ." writes them there.
package recipes
