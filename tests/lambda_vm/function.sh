#!/bin/sh
# What runs as Lambda's user: a function, with the variables that Lambda gives every function and its own.
while IFS= read -r line; do export "$line"; done < /given/environment
export LD_LIBRARY_PATH=/lib64:/usr/lib64:/var/task:/var/task/lib:/opt/lib
read -r name < /given/name
exec "/functions/$name/bootstrap"
