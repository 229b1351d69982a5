CREATE DATABASE IF NOT EXISTS steelyard ${on_cluster} ENGINE = Atomic
